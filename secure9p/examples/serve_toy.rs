//! A 9P server in one page: the toy tree over plain blocking sockets, a thread for each connection.
//!
//! ```text
//! cargo run -p secure9p --example serve_toy -- 127.0.0.1:5649
//! diodls -s 127.0.0.1 -p 5649 /            or        mount -t 9p -o trans=tcp,port=5649,version=9p2000.L 127.0.0.1 /mnt
//! ```
//!
//! For trying clients out. What serves strangers is `secure9p-tokio`.

use std::{
    env, io,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use secure9p::{
    ServerLimits,
    toy::{ToyServer, ToyTree},
};

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5649".into());
    let listener = TcpListener::bind(&address)?;
    println!("listening tcp://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = talk(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Everything there is to a shell: read, feed, drain, write.
fn talk(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut server = ToyServer::new(ServerLimits::default(), ToyTree::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = stream.read(&mut buffer)?;
        let heard = server.receive(&buffer[..count]);
        while !server.session.transmit().is_empty() {
            let sent = stream.write(server.session.transmit())?;
            server.session.sent(sent);
            server.serve();
        }
        if let Err(violation) = heard {
            return Err(io::Error::other(format!("{violation}; {}", server.session.recent())));
        }
        if count == 0 {
            return Ok(());
        }
    }
}
