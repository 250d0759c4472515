#![doc = include_str!("../README.md")]

mod accounts;
mod api_keys;
mod attempts;
mod audit;
mod config;
mod courier;
mod credits;
mod email;
mod emails;
mod eraser;
mod error;
mod grant;
mod grpc;
mod identities;
mod keepsakes;
mod keyring;
mod leaving;
mod letters;
mod mail_token;
mod openid;
mod operator;
mod passwords;
mod peers;
mod plans;
mod ports;
mod post;
mod recovery;
mod revocations;
mod second_factor;
mod sessions;
mod sign_in;
mod signing_key;
mod store;
mod sweeper;
mod tokens;
mod totp;
mod users;

use std::sync::Arc;

use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::stopgap::Stopgap;
use atelier_ledger::store::SqlLedger;
use atelier_proto::users::v1::credits_service_server::CreditsServiceServer;
use atelier_proto::users::v1::users_service_server::UsersServiceServer;
use tokio::sync::{Notify, watch};

pub use config::{ANONYMOUS_DAYS, Config, MailConfig, REFRESH_GRACE_SECONDS, SETTINGS, key_lead};
pub use error::Error;
pub use grant::{GrantError, Granted, grant_admin, grant_role};
pub use openid::{Issuer, OpenIdServer, RedirectUris};
pub use passwords::Argon2Passwords;
pub use plans::{ANONYMOUS, Anonymous, PLANS, Plan, Plans, SignUp};
pub use ports::{Clock, Passwords, SystemClock};
pub use post::{Sender, SmtpServer};

use accounts::Accounts;
use attempts::Attempts;
use courier::Courier;
use credits::{Credits, Rounds};
use eraser::Eraser;
use keyring::KeyRing;
use letters::Letters;
use openid::OpenIdProvider;
use ports::{Mailer, Provider};
use post::{FolderMailer, SmtpMailer};
use sign_in::SignIns;
use store::{
    AuditedGrants, SqlApiKeyStore, SqlAttemptStore, SqlAuditStore, SqlDeletionStore,
    SqlFactorStore, SqlHolderStore, SqlIdentityStore, SqlKeyStore, SqlMailStore, SqlMailTokenStore,
    SqlSessionStore, SqlSignInStore, SqlUserStore,
};

/// The database's name within the service's folder.
const DATABASE: &str = "users.db";
/// The folder that mails are written to when there is no mail server, within the service's folder.
const MAILS: &str = "mails";

/// Builds the service: opens its database in the foundation's folder, makes the first signing key when there is none,
/// and starts the sweeper, the courier and the erasers, which end with `foundation.stop`.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let passwords =
        Argon2Passwords::new().map_err(|error| StartError::other("the password hashing", error))?;
    build_with(
        config,
        foundation,
        Arc::new(SystemClock),
        Arc::new(passwords),
    )
    .await
}

/// The same, with another clock and another way to hash passwords.
pub async fn build_with(
    config: Config,
    foundation: &Foundation,
    clock: Arc<dyn Clock>,
    passwords: Arc<dyn Passwords>,
) -> Result<Service, StartError> {
    let database = foundation.database(DATABASE, &store::MIGRATIONS).await?;
    let sessions = Arc::new(SqlSessionStore::new(database.clone()));
    let ring = KeyRing::open(
        Arc::new(SqlKeyStore::new(database.clone())),
        foundation.secret.derive("key-ring"),
        config.key_lead,
        clock.now(),
    )
    .await
    .map_err(|error| {
        StartError::other(
            "the key ring (is it the same ATELIER_SECRET as before?)",
            error,
        )
    })?;
    let signs_with = ring.kid(clock.now());
    foundation.tasks.spawn(
        ring.clone()
            .follow(clock.clone(), foundation.stop.clone().cancelled_owned()),
    );

    let mails = Arc::new(SqlMailStore::new(database.clone()));
    let attempts = Arc::new(SqlAttemptStore::new(database.clone()));
    let sign_ins = Arc::new(SqlSignInStore::new(database.clone()));
    let mailer = mailer(&config.mails, foundation)?;
    let posts = mailer.told();
    let bell = Arc::new(Notify::new());
    let courier = Courier {
        mails: mails.clone(),
        mailer: mailer.clone(),
        letters: Letters::new(config.mails.link, &foundation.secret.derive("mail-tokens")),
        clock: clock.clone(),
        bell: bell.clone(),
        every: config.mails.every,
    };
    foundation
        .tasks
        .spawn(courier.run(foundation.stop.clone().cancelled_owned()));
    let provider = provider(config.provider, clock.clone())?;
    let vouches = provider
        .as_ref()
        .map(|provider| format!("openid {}", provider.name().issuer));
    let deletions = Arc::new(SqlDeletionStore::new(database.clone()));
    let peers = peers::all(&foundation.links);
    let departures = watch::Sender::default();
    for peer in &peers {
        let eraser = Eraser {
            deletions: deletions.clone(),
            peer: peer.clone(),
            clock: clock.clone(),
            bell: departures.subscribe(),
            every: config.erase_every,
        };
        foundation
            .tasks
            .spawn(eraser.run(foundation.stop.clone().cancelled_owned()));
    }
    let credits = Arc::new(Credits::new(
        Arc::new(SqlLedger::new(database.clone(), Arc::new(AuditedGrants))),
        Arc::new(SqlHolderStore::new(database.clone())),
        config.plans,
        clock.clone(),
        &foundation.secret.derive("credit-networks"),
    ));
    credits
        .settle_currency()
        .await
        .map_err(|error| StartError::other("the currency of ATELIER_PLANS", error))?;
    if let Some(file) = config.plans_file {
        let (credits, stopped) = (credits.clone(), foundation.stop.clone().cancelled_owned());
        foundation.tasks.spawn(async move {
            tokio::select! {
                () = stopped => {}
                () = credits.follow(file) => {}
            }
        });
    }
    let makers = peers::makers(&foundation.links);
    let rounds = Rounds::new(&credits, makers, config.rounds_every);
    foundation
        .tasks
        .spawn(rounds.run(foundation.stop.clone().cancelled_owned()));
    let accounts = Arc::new(Accounts {
        users: Arc::new(SqlUserStore::new(database.clone())),
        sessions: sessions.clone(),
        audit: Arc::new(SqlAuditStore::new(database.clone())),
        passwords,
        factors: Arc::new(SqlFactorStore::new(database.clone())),
        factor_key: foundation.secret.derive("second-factor"),
        api_keys: Arc::new(SqlApiKeyStore::new(database.clone())),
        mails: mails.clone(),
        mail_tokens: Arc::new(SqlMailTokenStore::new(database.clone())),
        identities: Arc::new(SqlIdentityStore::new(database.clone())),
        sign_ins: SignIns {
            provider,
            store: sign_ins.clone(),
            key: foundation.secret.derive("sign-ins"),
        },
        bell,
        attempts: Attempts::new(attempts.clone(), &foundation.secret.derive("attempts")),
        ring,
        credits,
        clock: clock.clone(),
        mailer,
        deletions: deletions.clone(),
        peers,
        departures,
        anonymous_for: config.anonymous_for,
        grace: config.refresh_grace,
    });
    foundation.tasks.spawn(sweeper::run(
        sweeper::Swept {
            sessions,
            mails,
            attempts,
            sign_ins,
            deletions,
            accounts: accounts.clone(),
        },
        clock,
        config.sweep_every,
        foundation.stop.clone().cancelled_owned(),
    ));
    let credits = CreditsServiceServer::new(grpc::CreditsGrpc::new(
        accounts.clone(),
        foundation.pages.clone(),
    ));
    let service = UsersServiceServer::new(grpc::UsersGrpc::new(
        accounts,
        foundation.pages.clone(),
        foundation.closing.clone(),
    ));
    let service = Service::new(tonic::service::Routes::new(service).add_service(credits))
        .with_adapter("accounts", database.to_string())
        .with_adapter("credits", database.to_string())
        .with_adapter("keys", format!("RSA {signs_with} in {database}"))
        .with_adapter("mails", posts)
        .with_database(&database);
    let service = match vouches {
        Some(vouches) => service.with_adapter("sign-in", vouches),
        None => service,
    };
    Ok(service.on_close(move || async move { database.close().await }))
}

/// Who else accounts may sign in with, when somebody is set.
fn provider(
    server: Option<OpenIdServer>,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Provider>>, StartError> {
    let Some(server) = server else {
        return Ok(None);
    };
    let provider = OpenIdProvider::new(server, clock)
        .map_err(|error| StartError::other("the OpenID provider", error))?;
    Ok(Some(Arc::new(provider)))
}

/// The mail server that is set, or else a folder.
fn mailer(config: &MailConfig, foundation: &Foundation) -> Result<Arc<dyn Mailer>, StartError> {
    let from = config.from.clone();
    Ok(match &config.smtp {
        Some(server) => Arc::new(
            SmtpMailer::new(server.clone(), from)
                .map_err(|error| StartError::other("the mail server", error))?,
        ),
        None => {
            let what = "mails of users, in files (ATELIER_SMTP_URL)";
            foundation.stopgaps.uses(Stopgap::MailFolder, what);
            Arc::new(FolderMailer::new(foundation.data.join(MAILS), from))
        }
    })
}
