//! A packet socket between daemon and executor: whole messages, each with the open files that belong to it.
//!
//! Knows bytes and files, not what they mean. A packet is sent whole or not at all, so two threads may share one end.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use ninedoor_abi::limits::{JOB_INPUTS_MAX, JOB_OUTPUTS_MAX, PARAM_BYTES_MAX};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of one packet. Bulk data travels in files, so a message is small: the largest is a run with every parameter by value.
pub(crate) const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Open files beside one packet: every input and output of a job, the module, the `printf` file.
pub(crate) const PACKET_FILES_MAX: usize = JOB_INPUTS_MAX + JOB_OUTPUTS_MAX + 2;
const _: () = assert!(PACKET_FILES_MAX <= 253, "more than SCM_RIGHTS carries");
const _: () = assert!(
    PARAM_BYTES_MAX.div_ceil(3) * 4 + 16 * 1024 <= PACKET_BYTES_MAX,
    "the largest run fits"
);

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// A message as it arrived.
#[derive(Debug)]
pub(crate) struct Packet<M> {
    pub(crate) message: M,
    pub(crate) files: Vec<OwnedFd>,
}

impl Channel {
    /// Two connected ends: ours, which never blocks, and the executor's, which does.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self(ours), theirs))
    }

    /// Takes over an end that was inherited.
    pub(crate) fn inherited(end: OwnedFd) -> Self {
        Self(end)
    }

    /// Sends one message with its files.
    ///
    /// # Errors
    /// `WouldBlock` when the peer does not read; `InvalidInput` for a message over the bound; what the socket says.
    pub(crate) fn send(
        &self,
        message: &impl Serialize,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > PACKET_BYTES_MAX || files.len() > PACKET_FILES_MAX {
            let text = format!(
                "a packet of {} bytes and {} files; the bounds are {PACKET_BYTES_MAX} and {PACKET_FILES_MAX}",
                bytes.len(),
                files.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FILES_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            let fits = ancillary.push(SendAncillaryMessage::ScmRights(files));
            debug_assert!(fits, "the space is made for PACKET_FILES_MAX");
        }
        sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message, `None` when the peer is gone.
    ///
    /// # Errors
    /// `WouldBlock` when there is none yet; `InvalidData` when it is not one of ours.
    pub(crate) fn receive<M: DeserializeOwned>(&self) -> io::Result<Option<Packet<M>>> {
        let mut bytes = vec![0; PACKET_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FILES_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let files = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            })
            .flatten()
            .collect();
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a packet over the bounds was cut",
            ));
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        let message = serde_json::from_slice(&bytes[..received.bytes])?;
        Ok(Some(Packet { message, files }))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_message_arrives_with_its_open_file() {
        let (ours, theirs) = Channel::pair().unwrap();
        let (mut reader, mut writer) = io::pipe().unwrap();
        ours.send(&"here", &[writer.as_fd()]).unwrap();
        writer.write_all(b"a").unwrap();
        drop(writer);

        let packet = Channel::inherited(theirs).receive::<String>().unwrap().unwrap();
        let [file] = <[OwnedFd; 1]>::try_from(packet.files).unwrap();
        std::fs::File::from(file).write_all(b"b").unwrap();
        let mut both = String::new();
        reader.read_to_string(&mut both).unwrap();
        assert_eq!((packet.message.as_str(), both.as_str()), ("here", "ab"));
    }

    #[test]
    fn a_peer_that_is_gone_is_an_end_and_not_an_error() {
        let (ours, theirs) = Channel::pair().unwrap();
        drop(theirs);
        assert!(ours.receive::<String>().unwrap().is_none());
    }

    #[test]
    fn bytes_that_are_no_message_of_ours_are_refused() {
        let (ours, theirs) = Channel::pair().unwrap();
        Channel::inherited(theirs).send(&"not a number", &[]).unwrap();
        assert_eq!(ours.receive::<u64>().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_over_the_bound_is_not_sent() {
        let (ours, _theirs) = Channel::pair().unwrap();
        let error = ours.send(&"x".repeat(PACKET_BYTES_MAX), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a packet of 65538 bytes and 0 files; the bounds are 65536 and 130"
        );
    }

    #[test]
    fn a_peer_that_does_not_read_never_blocks_the_daemon() {
        let (ours, _theirs) = Channel::pair().unwrap();
        let error = (0..10_000).find_map(|_| ours.send(&"x".repeat(60_000), &[]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
