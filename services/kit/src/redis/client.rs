//! One connection to the server that many speak over at once, and that is made anew whenever it is lost; a second one for
//! what the server says by itself.

use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

use ::redis::aio::{
    ConnectionLike, ConnectionManager, ConnectionManagerConfig, PubSubSink, PubSubStream,
};
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, FromRedisValue, IntoConnectionInfo as _, RedisError, ScriptInvocation, TlsCertificates,
};
use futures_util::StreamExt as _;

use super::RedisServer;

/// How long a connection may take, with all that is said before it is of use.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// A host that says nothing more at all, not even that it got what was sent, is given up after so long.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// The server did not answer, or could not do what it was asked. Whoever asks again may be luckier.
#[derive(Debug, thiserror::Error)]
#[error("redis cannot be used")]
pub struct RedisAway(#[from] RedisError);

/// A server as this process speaks to it. Clones share the connection.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    told: String,
}

impl Redis {
    /// Begins to connect when it is first asked something, so that no order of starts is needed. Called where a runtime is.
    ///
    /// # Errors
    ///
    /// When the URL or the file of the authority cannot be used.
    pub fn new(server: &RedisServer) -> Result<Self, RedisAway> {
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(HEARD_WITHIN);
        let info = server
            .expose_url()
            .into_connection_info()?
            .set_tcp_settings(tcp);
        let client = match server.authority() {
            Some(file) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(std::fs::read(file).map_err(|error| {
                        let why = format!("{}: {error}", file.display());
                        RedisError::from(IoError::new(error.kind(), why))
                    })?),
                },
            )?,
            None => Client::open(info)?,
        };
        // Whoever asks waits for one try to connect and no more: how long it is worth to wait is for him to know.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECTED_WITHIN))
            .set_response_timeout(Some(ANSWERED_WITHIN))
            .set_number_of_retries(0)
            .set_pipeline_buffer_size(1024);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client.clone(), config)?,
            client,
            told: server.to_string(),
        })
    }

    /// Carries out a script, in one round trip once the server knows it: it is sent again where it does not.
    ///
    /// # Errors
    ///
    /// When the server does not answer in time. The script may have been carried out all the same.
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RedisAway> {
        let mut connection = self.connection.clone();
        Ok(script.invoke_async(&mut connection).await?)
    }

    /// Whether the server is there.
    ///
    /// # Errors
    ///
    /// When it does not answer in time.
    pub async fn ping(&self) -> Result<(), RedisAway> {
        let mut connection = self.connection.clone();
        connection
            .req_packed_command(&::redis::cmd("PING"))
            .await?
            .extract_error()?;
        Ok(())
    }

    /// A connection of its own for what the server says by itself.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached in time.
    pub async fn subscriber(&self) -> Result<(Subscriber, Heard), RedisAway> {
        let connected = in_time(CONNECTED_WITHIN, self.client.get_async_pubsub()).await?;
        let (sink, stream) = connected.split();
        Ok((Subscriber(sink), Heard(stream)))
    }
}

impl std::fmt::Display for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

/// Says which channels are listened to.
pub struct Subscriber(PubSubSink);

impl Subscriber {
    /// From the return of this on, what is said in these channels is heard.
    ///
    /// # Errors
    ///
    /// When the server does not answer in time.
    pub async fn listen(&mut self, channels: &[String]) -> Result<(), RedisAway> {
        in_time(ANSWERED_WITHIN, self.0.subscribe(channels)).await
    }

    /// These are listened to no more.
    ///
    /// # Errors
    ///
    /// When the server does not answer in time.
    pub async fn leave(&mut self, channels: &[String]) -> Result<(), RedisAway> {
        in_time(ANSWERED_WITHIN, self.0.unsubscribe(channels)).await
    }

    /// Whether the connection still stands: where nothing is said, its loss would not be noticed.
    ///
    /// # Errors
    ///
    /// When the server does not answer in time.
    pub async fn ping(&mut self) -> Result<(), RedisAway> {
        let _: ::redis::Value = in_time(ANSWERED_WITHIN, self.0.ping()).await?;
        Ok(())
    }
}

/// What the server says by itself.
pub struct Heard(PubSubStream);

impl Heard {
    /// The next word: in which channel, and what. `None` when the connection is lost.
    pub async fn next(&mut self) -> Option<(String, String)> {
        loop {
            let message = self.0.next().await?;
            // What is not text is not ours.
            if let Ok(word) = message.get_payload() {
                return Some((message.get_channel_name().to_owned(), word));
            }
        }
    }
}

async fn in_time<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisAway> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RedisAway(IoError::from(ErrorKind::TimedOut).into())),
    }
}
