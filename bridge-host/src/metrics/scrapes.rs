//! A very small HTTP server for scrapers and probes. Knows of HTTP only what these need.
//!
//! | path | answer |
//! | --- | --- |
//! | `/metrics` | all, as Prometheus' text |
//! | `/metrics/native`, `/metrics/dcgm` | the half with that kind of names |
//! | `/healthz` | whether this process answers |
//! | `/readyz` | whether it takes new work |

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::recorder::{Latest, Recorder, Sources};
use crate::bridge::BridgeHive;

/// Scrapes at once; the next one waits.
const SCRAPES_MAX: usize = 16;
/// Bytes of one request's head.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// For a request to arrive, and for its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens for scrapers.
///
/// # Errors
/// When the address cannot be had.
pub(crate) async fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(at)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("metrics on {at}: {error}")))
}

/// Makes pages, and answers scrapers, for ever.
pub(crate) async fn serve(listener: TcpListener, hive: BridgeHive, sources: Sources) {
    let recorder = Recorder::start(hive.clone(), sources).await;
    let latest = recorder.latest();
    tokio::join!(recorder.keep_recording(), answer_all(listener, hive, latest));
}

async fn answer_all(listener: TcpListener, hive: BridgeHive, latest: Arc<Latest>) {
    let turns = Arc::new(Semaphore::new(SCRAPES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (hive, latest) = (hive.clone(), Arc::clone(&latest));
                tokio::spawn(async move {
                    // A scraper that went away, or said nothing, is nobody's loss.
                    let _ = timeout(PATIENCE, converse(stream, &hive, &latest)).await;
                    drop(turn);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a scraper");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, hive: &BridgeHive, latest: &Latest) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&request);
    let mut words = head.split_ascii_whitespace();
    let answer = answer(words.next().unwrap_or(""), words.next().unwrap_or(""), hive, latest);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn answer(method: &str, path: &str, hive: &BridgeHive, latest: &Latest) -> String {
    let plain = "text/plain; charset=utf-8";
    let pages = latest.pages();
    match (method, path.split('?').next().unwrap_or("")) {
        ("GET", "/metrics") => page(&[&pages.native, &pages.dcgm]),
        ("GET", "/metrics/native") => page(&[&pages.native]),
        ("GET", "/metrics/dcgm") => page(&[&pages.dcgm]),
        ("GET", "/healthz") => response("200 OK", plain, &["ok\n"]),
        ("GET", "/readyz") => {
            if hive.with(|_, publisher, _| publisher.dispatcher.is_draining()) {
                response("503 Service Unavailable", plain, &["draining\n"])
            } else {
                response("200 OK", plain, &["ready\n"])
            }
        }
        ("GET", _) => response("404 Not Found", plain, &["wanted /metrics, /healthz or /readyz\n"]),
        _ => response("405 Method Not Allowed", plain, &["wanted GET\n"]),
    }
}

fn page(parts: &[&str]) -> String {
    response("200 OK", "text/plain; version=0.0.4; charset=utf-8", parts)
}

fn response(status: &str, kind: &str, parts: &[&str]) -> String {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::with_capacity(head.len() + length);
    answer.push_str(&head);
    parts.iter().for_each(|part| answer.push_str(part));
    answer
}
