//! Serves ClickHouse's HTTP interface over the pool, as far as the `clickhouse` crate and `curl` use it.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::options::USER;
use super::pool::{Piece, Pool};
use super::request::{Kind, UrlPart, classify, read_form, read_url};

/// A statement in a body; rows are not limited, they stream.
const STATEMENT_BYTES_LIMIT: usize = 16 << 20;
/// Pieces of an insert between the network and the engine; the client sends 256 KiB at a time.
const PIECES_UNDER_WAY: usize = 8;
/// Connections of clients; ours keeps a handful.
const CLIENTS_LIMIT: usize = 256;
/// What ClickHouse says to strangers.
const AUTHENTICATION_FAILED: &str =
    "Code: 516. DB::Exception: tokenwatch: Authentication failed. (AUTHENTICATION_FAILED)";

type Body = Full<Bytes>;

/// What every request needs.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) pool: Pool,
    pub(crate) password: Arc<SecretString>,
}

/// Accepts clients until `cancel`, and waits for the statements that run.
pub(crate) async fn serve(listener: TcpListener, service: Service, cancel: CancellationToken) {
    let clients = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CLIENTS_LIMIT));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = cancel.cancelled() => break,
        };
        // Out of descriptors or a client that is gone already; the next accept tells.
        let Ok((stream, _)) = accepted else { continue };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let service = service.clone();
        clients.spawn(async move {
            let handler = service_fn(move |request| answer(service.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), handler);
            // A client that breaks off is the client's business.
            drop(connection.await);
            drop(place);
        });
    }
    service.pool.drain().await;
}

async fn answer(
    service: Service,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(match respond(&service, request).await {
        Ok(response) => response,
        Err(error) => error_response(&error),
    })
}

async fn respond(service: &Service, request: Request<Incoming>) -> Result<Response<Body>, String> {
    let (parts, body) = request.into_parts();
    if parts.method == Method::GET
        && matches!(parts.uri.path(), "/" | "/ping")
        && parts.uri.query().is_none()
    {
        return Ok(Response::new(whole("Ok.\n".into())));
    }
    let UrlPart {
        sql,
        mut statement,
        user,
        password,
        is_compressed,
    } = read_url(&parts)?;
    if !is_authentic(service, &parts.headers, user, password) {
        return Err(AUTHENTICATION_FAILED.to_owned());
    }
    if is_compressed {
        return Err("Code: 36. DB::Exception: decompress=1 is not supported here".to_owned());
    }
    if let Some(sql) = sql {
        statement.sql = sql;
        if let Kind::Insert { sql, format } = classify(&statement) {
            let (tx, rx) = mpsc::channel(PIECES_UNDER_WAY);
            let (result, ()) = tokio::join!(
                service.pool.insert(statement, sql, format, rx),
                send_pieces(body, tx)
            );
            return result.map(|()| Response::new(whole(Bytes::new())));
        }
    }
    let body = Limited::new(body, STATEMENT_BYTES_LIMIT).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    match content_type.and_then(|value| value.to_str().ok()) {
        Some(form) if form.starts_with("multipart/form-data") => {
            read_form(&mut statement, form, &body)?;
        }
        _ => statement.sql.push_str(&String::from_utf8_lossy(&body)),
    }
    Ok(Response::new(whole(service.pool.run(statement).await?)))
}

/// Hands the body over to the engine; what ends early is told as such.
async fn send_pieces(mut body: Incoming, tx: mpsc::Sender<Piece>) {
    while let Some(frame) = body.frame().await {
        let piece = match frame.map(Frame::into_data) {
            Ok(Ok(bytes)) => Ok(bytes),
            // Trailers.
            Ok(Err(_)) => continue,
            Err(_) => Err(()),
        };
        if tx.send(piece).await.is_err() {
            // The engine gave up; its error is the answer. The rest is read so that the client gets to hear it.
            while let Some(Ok(_)) = body.frame().await {}
            return;
        }
    }
}

fn is_authentic(
    service: &Service,
    headers: &HeaderMap,
    user: Option<String>,
    password: Option<String>,
) -> bool {
    let header = |name: &str| {
        let value = headers.get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let basic = || {
        let value = header("authorization")?;
        let encoded = value.strip_prefix("Basic ")?.trim().as_bytes();
        let decoded = data_encoding::BASE64.decode(encoded).ok()?;
        let (user, password) = String::from_utf8(decoded)
            .ok()?
            .split_once(':')
            .map(|(user, password)| (user.to_owned(), password.to_owned()))?;
        Some((user, password))
    };
    let given = match (header("x-clickhouse-user"), header("x-clickhouse-key")) {
        (Some(user), Some(password)) => Some((user, password)),
        _ => user.zip(password).or_else(basic),
    };
    given.is_some_and(|(user, password)| {
        let expected = service.password.expose_secret().as_bytes();
        user == USER && bool::from(password.as_bytes().ct_eq(expected))
    })
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
}

fn error_response(error: &str) -> Response<Body> {
    let code: String = error
        .split_once("Code: ")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
        .unwrap_or_default();
    let mut response = Response::new(whole(format!("{}\n", error.trim_end()).into()));
    *response.status_mut() = match code.as_str() {
        "516" => StatusCode::FORBIDDEN,
        "60" | "81" => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if let Ok(code) = HeaderValue::from_str(&code)
        && !code.is_empty()
    {
        response
            .headers_mut()
            .insert("x-clickhouse-exception-code", code);
    }
    response
}
