//! An SMTP sink on loopback: takes mails down, or refuses recipients with a code.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A mail as it came in.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) recipients: Vec<String>,
    pub(crate) content: String,
}

/// The sink; stops when dropped.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    pub(crate) mails: mpsc::Receiver<Mail>,
    _tasks: JoinSet<()>,
}

impl SmtpServer {
    /// Answers every RCPT with `rcpt`.
    pub(crate) async fn answering(rcpt: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mails) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                sessions.spawn(async move { session(stream, rcpt, &sender).await });
            }
        });
        Self {
            port,
            mails,
            _tasks: tasks,
        }
    }
}

async fn session(stream: TcpStream, rcpt: &str, mails: &mpsc::Sender<Mail>) {
    let mut stream = BufReader::new(stream);
    let mut recipients = Vec::new();
    say(&mut stream, "220 sink").await;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" => say(&mut stream, "250-sink\r\n250 8BITMIME").await,
            "RCPT" => {
                recipients.push(line.trim().to_owned());
                say(&mut stream, rcpt).await;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await;
                let mut content = String::new();
                while !content.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut content).await.unwrap();
                }
                let recipients = std::mem::take(&mut recipients);
                mails
                    .send(Mail {
                        recipients,
                        content,
                    })
                    .await
                    .unwrap();
                say(&mut stream, "250 taken").await;
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => say(&mut stream, "250 fine").await,
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) {
    let line = format!("{line}\r\n");
    // The other side may have hung up; the session then ends at the next read.
    drop(stream.get_mut().write_all(line.as_bytes()).await);
}
