//! A call to somebody else's API: chosen, timed, repeated, counted, and told without its key.
//!
//! | file | what it does |
//! |---|---|
//! | `caller` | one for each provider: makes a call, and makes it again where that may help |
//! | `attempt` | one attempt at a call, and what its answer says |
//! | `callers` | those of a service, and what is told of them |
//! | `endpoint` | one endpoint: what is known and counted of it |
//! | `breaker` | whether an endpoint is left alone |
//! | `load` | how busy an endpoint is |
//! | `choice` | which of several endpoints a call goes to |
//! | `keys` | which key a call goes with |
//! | `retry` | when a call is made again |
//! | `answer` | what came: a body that is timed and counted, whatever its headers say |
//! | `events` | server-sent events out of a body |
//! | `secrets` | what must be hidden in whatever is told |
//! | `timeouts` | how long the media's calls may take |

mod answer;
mod attempt;
mod breaker;
mod caller;
mod callers;
mod choice;
mod endpoint;
mod events;
mod keys;
mod load;
mod retry;
mod secrets;
mod timeouts;

pub use answer::{Answer, Expected, Origin};
pub use caller::{Caller, CallerError, Repeats};
pub use callers::Callers;
pub use events::{EventReader, Oddity, events};
pub use secrets::Secrets;
pub use timeouts::{CONNECT, timeouts};
