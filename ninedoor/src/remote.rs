//! Other servers, as a shell sees them: it dials, moves bytes, and says when a connection is there and when it is lost.

use alloc::{format, string::String};

use ninedoor_abi::{Errno as AbiErrno, Now, Refusal};

use crate::{
    audit::AuditLine,
    connection::Closed,
    event::Event,
    limits::UPSTREAMS_MAX,
    server::Server,
    upstream::{Report, Upstream, UpstreamId},
};

impl Server {
    /// Makes another server known by a name. It is away until [`Server::upstream_connected`]; `ticket` is what this server
    /// attaches with over there, empty where none is needed.
    ///
    /// # Errors
    /// EEXIST when the name is taken, EBUSY when there are too many.
    pub fn add_upstream(&mut self, service: &str, ticket: &str) -> Result<UpstreamId, Refusal> {
        if self.upstreams.iter().any(|upstream| upstream.service() == service) {
            return Err(Refusal::new(
                AbiErrno::EEXIST,
                format!("two services are called {service}, wanted a name for each"),
            ));
        }
        if self.upstreams.len() >= UPSTREAMS_MAX {
            return Err(Refusal::new(
                AbiErrno::EBUSY,
                format!("{UPSTREAMS_MAX} services are known already"),
            ));
        }
        let id = UpstreamId(u32::try_from(self.upstreams.len()).unwrap_or(u32::MAX));
        self.upstreams.push(Upstream::new(String::from(service), String::from(ticket)));
        Ok(id)
    }

    /// A connection to the server is there.
    pub fn upstream_connected(&mut self, id: UpstreamId, now: Now) {
        if let Some(upstream) = self.upstream_mut(id) {
            upstream.connected();
        }
        self.settle(now);
    }

    /// Bytes from the server.
    ///
    /// # Errors
    /// The connection has to end: it broke the protocol. Everything that was under way has been answered with EIO.
    pub fn upstream_receive(
        &mut self,
        id: UpstreamId,
        bytes: &[u8],
        now: Now,
    ) -> Result<(), Closed> {
        let received = match self.upstream_mut(id) {
            Some(upstream) => upstream.receive(bytes),
            None => Err(String::from("no such service")),
        };
        if received.is_err()
            && let Some(upstream) = self.upstream_mut(id)
        {
            upstream.lost();
        }
        self.settle(now);
        received.map_err(|why| Closed { why })
    }

    /// Bytes for the server.
    #[must_use]
    pub fn upstream_transmit(&self, id: UpstreamId) -> &[u8] {
        self.upstreams.get(id.0 as usize).map_or(&[], Upstream::transmit)
    }

    /// That many of the bytes were sent.
    pub fn upstream_sent(&mut self, id: UpstreamId, bytes: usize, now: Now) {
        if let Some(upstream) = self.upstream_mut(id) {
            upstream.sent(bytes);
        }
        self.settle(now);
    }

    /// The connection to the server is lost: whoever waits for it is answered EIO, and so is everything that was open there.
    pub fn upstream_lost(&mut self, id: UpstreamId, why: &str, now: Now) {
        if let Some(upstream) = self.upstream_mut(id) {
            upstream.lost();
            let service = String::from(upstream.service());
            self.audit(
                AuditLine::own().done("LOST", format!("service={service} why={why:?}")),
                now,
            );
        }
        self.observe_bridges(now);
        self.settle(now);
    }

    /// Whether the server can be asked anything now.
    #[must_use]
    pub fn upstream_is_up(&self, id: UpstreamId) -> bool {
        self.upstreams.get(id.0 as usize).is_some_and(Upstream::is_up)
    }

    pub(crate) fn upstream_mut(&mut self, id: UpstreamId) -> Option<&mut Upstream> {
        self.upstreams.get_mut(id.0 as usize)
    }

    /// Takes what the other servers have to tell; whether there was anything.
    pub(crate) fn take_reports(&mut self, now: Now) -> bool {
        let mut any = false;
        for number in 0..self.upstreams.len() {
            let id = UpstreamId(u32::try_from(number).unwrap_or(u32::MAX));
            while let Some(report) = self.upstream_mut(id).and_then(Upstream::poll_report) {
                any = true;
                self.take_report(id, report, now);
            }
        }
        any
    }

    fn take_report(&mut self, id: UpstreamId, report: Report, now: Now) {
        match report {
            Report::Answered(errand, result) => self.complete(errand, result, now),
            Report::Said(dialogue, said) => self.talk_over(id, dialogue, said, now),
            Report::WantsTicket(worker) => self.fetch_ticket(id, &worker, now),
            Report::Up => {
                let service = self
                    .upstreams
                    .get(id.0 as usize)
                    .map(|upstream| String::from(upstream.service()));
                self.audit(
                    AuditLine::own().done("UP", format!("service={}", service.unwrap_or_default())),
                    now,
                );
                self.observe_bridges(now);
                self.pay_revokes();
            }
            Report::Broken(why) => self.events.push_back(Event::HangUp { upstream: id, why }),
        }
    }

    /// Hangs up on servers that have been silent for too long, and lets the lifecycle see which are away.
    pub(crate) fn watch_upstreams(&mut self, now: Now) {
        for (upstream, number) in self.upstreams.iter_mut().zip(0..) {
            if upstream.patience_ends().is_some_and(|at| now.mono_us >= at) {
                upstream.lost();
                let why = String::from("it owes an answer and says nothing");
                self.events.push_back(Event::HangUp { upstream: UpstreamId(number), why });
            }
        }
        self.observe_bridges(now);
    }

    fn observe_bridges(&mut self, now: Now) {
        let away = self.upstreams.iter().any(|upstream| !upstream.is_up());
        if let Some(line) =
            self.hive.as_mut().and_then(|hive| hive.lifecycle.observe(away, now.unix_ms))
        {
            self.audit(AuditLine::own().done("LIFECYCLE", line), now);
        }
    }

    /// Tells the shell which servers have bytes to be sent, and starts the clock on those that owe us something.
    pub(crate) fn wake_upstreams(&mut self, now: Now) {
        for (upstream, number) in self.upstreams.iter_mut().zip(0..) {
            upstream.watch(now.mono_us);
            if !upstream.transmit().is_empty() && !core::mem::replace(&mut upstream.woken, true) {
                self.events.push_back(Event::WakeUpstream(UpstreamId(number)));
            }
        }
    }
}
