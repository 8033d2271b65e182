//! The same two files behind the whole of NineDoor: tickets, authority, audit, mounts. What the bridge serves its own by.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow};
use ninedoor::{Answer, Ask, AskId, Config, ProviderNode, Secrets, Server};
use ninedoor_abi::{Claims, Errno, Now, Refusal, Role, Secret, UnixMs};
use ninedoor_host::{Clock, Hive, LocalProvider, Order};

use crate::tree::Tree;

/// Where the files are mounted.
pub(crate) const MOUNT: &str = "bundles";

/// The files, as a provider.
struct Files(Tree);

impl LocalProvider for Files {
    fn ask(&mut self, ask: Ask, _now: Now) -> Option<Answer> {
        Some(
            self.0.handle(ask.request).map_err(|errno| {
                Refusal::new(Errno(errno.0), "the bench's files are two, and simple")
            }),
        )
    }

    fn released(&mut self, _node: ProviderNode) {}

    fn poll_answer(&mut self) -> Option<(AskId, Answer)> {
        None
    }

    fn poll_order(&mut self) -> Option<Order> {
        None
    }

    fn tick(&mut self, _now: Now) {}

    fn next_deadline(&self) -> Option<UnixMs> {
        None
    }
}

/// A queen's secret, known to the bench and to nobody who matters.
fn secret() -> Secret {
    Secret::new("bench")
}

/// A ticket to attach with.
pub(crate) fn ticket() -> Result<String> {
    let issued_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let claims = Claims::new(Role::Queen, None, UnixMs(u64::try_from(issued_at)?));
    Ok(claims.mint(&secret()).map_err(|refusal| anyhow!(refusal.text))?.expose())
}

/// A server with the files mounted.
pub(crate) fn hive() -> Result<Hive<impl LocalProvider>> {
    let clock = Clock::system();
    let secrets = Secrets::new(BTreeMap::from([(Role::Queen, secret())]));
    let mut server = Server::new(Config::bridge("bench", "0", secrets), clock.now());
    let at = format!("/{MOUNT}").parse()?;
    server.mount_provider(&at).map_err(|refusal| anyhow!(refusal.text))?;
    Ok(Hive::new(server, Files(Tree::new()), clock, None))
}
