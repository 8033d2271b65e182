//! `proxy`: for a client that cannot speak the server's transport: the Linux kernel's knows no TLS, for one.

use secure9p_tokio::{Limits, ListenOptions, Listener, NINEDOOR_PORT, Uri, proxy};

use crate::ack::Done;
use crate::error::CommandError;
use crate::shell::Shell;

/// Words of `proxy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Carries bytes and looks at none of them: whoever connects attaches at the far end, with a ticket of its own. Until Ctrl-C.
  cohsh proxy --listen unix:///run/hive.sock --to tls://hive.example:5641
  mount -t 9p -o trans=unix,version=9p2000.L,uname=queen,aname=TICKET /run/hive.sock /mnt")]
pub struct Proxy {
    /// Where to listen: tcp://127.0.0.1:PORT or unix:///PATH.
    #[arg(long, value_name = "URI", required = true)]
    listen: Vec<String>,
    /// Where the hive is; that of --connect where it is left out.
    #[arg(long, value_name = "URI")]
    to: Option<String>,
}

impl Proxy {
    pub(super) async fn run(self, shell: &mut Shell) -> Result<Done, CommandError> {
        let to = self.to.as_deref().map(|uri| parsed("--to", uri)).transpose()?;
        let to = to.unwrap_or_else(|| shell.target().uri().clone());
        let options = shell.target().options_for(&to)?;
        let mut listeners = Vec::new();
        for uri in &self.listen {
            let bound = Listener::bind(&parsed("--listen", uri)?, &ListenOptions::default()).await;
            let listener = bound.map_err(|refused| CommandError::usage(refused.to_string()))?;
            shell.screen.line(&format!("listening {}", listener.uri()), None)?;
            listeners.push(listener);
        }
        proxy(listeners, to, options, Limits::default(), std::future::pending()).await;
        Ok(Done::plain())
    }
}

fn parsed(option: &str, uri: &str) -> Result<Uri, CommandError> {
    let parsed = Uri::parse(uri, NINEDOOR_PORT);
    parsed.map_err(|refused| CommandError::usage(format!("{option}: {refused}")))
}
