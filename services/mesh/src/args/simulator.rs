//! The command `simulator`.

use std::net::SocketAddr;

use clap::Args as ClapArgs;

/// A provider by itself.
#[derive(Debug, ClapArgs)]
#[command(after_help = PARAMETERS)]
pub struct Simulator {
    /// What it does: the part of a simulator:// URL after the `?`, as in 'latency=50ms-200ms&chance=429:10'
    #[arg(value_name = "PARAMETERS", default_value = "")]
    pub parameters: String,

    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    pub listen: SocketAddr,
}

const PARAMETERS: &str = "\
Parameters, with & between them:
  seed=7                    another seed, another run
  latency=50ms-2s           the time before the first byte
  tokens=20-80              how many words a reply has
  tokens_per_second=40      the pace of a streamed reply
  chance=429:10,cut:2.5     what befalls a request, in how many of a hundred
  script=429,cut@300,ok     what befalls the same request the first, the second, … time
  retry_after=2s            sent with 429 and 503
What may befall one: ok, a status of 400 to 599, stall, cut, malformed; the last three after so many bytes (@300), or
after some by chance. The same seed and the same requests are the same run.

It speaks POST /v1/chat/completions, /v1/images/generations and /v1/audio/speech; GET /simulator/stats counts. In place of
a provider's URL, as in ATELIER_CHAT_URL, simulator://?PARAMETERS starts one within the mesh.";
