//! The client's side of one connection: a [`ClientSession`] that keeps many calls in flight and believes nothing.
//!
//! Knows tags, and which reply belongs to which call. Knows no paths: walking, opening and reading to the end is the caller's plan.
//!
//! ```
//! use secure9p::{ClientLimits, ClientSession, Errno, Fid, NumericUname, Tmessage};
//! # use secure9p::{ServerLimits, toy::{ToyServer, ToyTree, exchange}};
//! # let mut server = ToyServer::new(ServerLimits::default(), ToyTree::new());
//!
//! let mut client = ClientSession::new(ClientLimits::default());
//! # exchange(&mut client, &mut server)?;
//! // … bytes to and from the server, until `negotiated()` says how long a frame may be …
//! let (root, file) = (client.new_fid().expect("free"), client.new_fid().expect("free"));
//! let (afid, uname, aname) = (Fid::NOFID, "queen".into(), String::new());
//! client.call(Tmessage::Attach { fid: root, afid, uname, aname, n_uname: NumericUname::NONE })?;
//! let walk = client.call(Tmessage::Walk { fid: root, newfid: file, wname: vec!["nothing".into()] })?;
//! // … both are on their way now; more bytes to and from the server …
//! # exchange(&mut client, &mut server)?;
//! while let Some((call, reply)) = client.poll_reply() {
//!     if call == walk {
//!         assert_eq!(reply, Err(Errno::ENOENT));
//!         client.forget_fid(file);
//!     }
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod calls;
mod fids;
mod session;

pub use calls::{CallId, CallRefused};
pub use session::ClientSession;
