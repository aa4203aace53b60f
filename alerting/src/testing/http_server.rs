//! An HTTP receiver on loopback that takes down what it is sent and answers as the test says.

use std::collections::{HashMap, VecDeque};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Received {
    /// `POST /hook`.
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The receiver; stops when dropped.
pub(crate) struct HttpServer {
    pub(crate) url: String,
    pub(crate) requests: mpsc::Receiver<Received>,
    _tasks: JoinSet<()>,
}

impl HttpServer {
    /// Answers these in turn (head without the final empty line, and a body after `\n\n`), then 204. An empty answer is none
    /// at all.
    pub(crate) async fn answering(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel(1_024);
        let mut answers: VecDeque<&'static str> = answers.iter().copied().collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let received = read(&mut stream).await;
                let answer = answers.pop_front().unwrap_or("HTTP/1.1 204 No Content");
                sender.send(received).await.unwrap();
                if answer.is_empty() {
                    // Keeps the connection open and silent.
                    std::mem::forget(stream);
                    continue;
                }
                let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
                let length = body.len();
                let answer = format!(
                    "{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self {
            url,
            requests,
            _tasks: tasks,
        }
    }
}

async fn read(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(position) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break position + 4;
        }
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "a whole head"
        );
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let line = head.lines().next().unwrap();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let length = headers.get("content-length");
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + length {
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "a whole body"
        );
    }
    Received {
        line,
        headers,
        body: bytes[head_end..].to_vec(),
    }
}
