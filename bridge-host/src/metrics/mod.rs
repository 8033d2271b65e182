//! `/metrics` for Prometheus, `/healthz` and `/readyz`: a very small HTTP server on an address of its own.
//!
//! Answers from what the dispatcher knows already; never asks a driver. Knows of HTTP only what a scraper needs.

mod text;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

pub(crate) use self::text::Page;
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

/// Answers scrapers for ever.
pub(crate) async fn serve(listener: TcpListener, hive: BridgeHive) {
    let turns = Arc::new(Semaphore::new(SCRAPES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let hive = hive.clone();
                tokio::spawn(async move {
                    // A scraper that went away, or said nothing, is nobody's loss.
                    let _ = timeout(PATIENCE, converse(stream, &hive)).await;
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

async fn converse(mut stream: TcpStream, hive: &BridgeHive) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&request);
    let mut words = head.split_ascii_whitespace();
    let answer = answer(words.next().unwrap_or(""), words.next().unwrap_or(""), hive);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn answer(method: &str, path: &str, hive: &BridgeHive) -> String {
    let plain = "text/plain; charset=utf-8";
    match (method, path.split('?').next().unwrap_or("")) {
        ("GET", "/metrics") => {
            let page = hive.with(|_, publisher, _| publisher.dispatcher.metrics());
            response("200 OK", "text/plain; version=0.0.4; charset=utf-8", &page)
        }
        ("GET", "/healthz") => response("200 OK", plain, "ok\n"),
        ("GET", "/readyz") => {
            if hive.with(|_, publisher, _| publisher.dispatcher.is_draining()) {
                response("503 Service Unavailable", plain, "draining\n")
            } else {
                response("200 OK", plain, "ready\n")
            }
        }
        ("GET", _) => response("404 Not Found", plain, "wanted /metrics, /healthz or /readyz\n"),
        _ => response("405 Method Not Allowed", plain, "wanted GET\n"),
    }
}

fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
