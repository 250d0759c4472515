//! The whole way: the real users service over its in-memory link, as the service of a medium pays.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::config::Settings;
use atelier_kit::identity::ServiceTokens;
use atelier_kit::link::Link;
use atelier_kit::moment;
use atelier_kit::policy::Policies;
use atelier_kit::testing::{Issuer, foundation, mount_route, secret};
use atelier_proto::DESCRIPTOR;
use atelier_proto::generation::v1::Usage;
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1::credits_service_client::CreditsServiceClient;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{Medium, RegisterRequest, ReserveRequest, SettleRequest};
use tempfile::TempDir;
use tokio_util::sync::DropGuard;

use crate::{Payment, Whose};

/// Everybody has more than any run spends, and may have as much at work as there is.
const PLANS: &str = r#"
currency = "USD"
sign_up = { credits = 1_000_000 }

[plans.free]
concurrency = 1_000
open = true
"#;

/// What each costs, in millionths: a hundred tokens read and fifty written.
const COST: i64 = 125;
/// How long a call may take.
const CALL: Duration = Duration::from_secs(10);

/// The users service with accounts.
pub struct Service {
    client: CreditsServiceClient<Link>,
    accounts: Vec<String>,
    _guards: [DropGuard; 2],
    _folder: TempDir,
}

impl Service {
    /// With so many accounts, in a folder of its own.
    pub async fn open(accounts: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let plans = folder.path().join("plans.toml");
        std::fs::write(&plans, PLANS)?;
        let ground = foundation("users", folder.path());
        let settings = Settings::new([("ATELIER_PLANS".to_owned(), plans.display().to_string())]);
        let config = atelier_users::Config::read(&settings);
        let service = atelier_users::build(config, &ground)
            .await
            .context("the users service")?;
        let (policies, issuer) = (Policies::read(DESCRIPTOR)?, Issuer::new());
        let (route, served) = mount_route(service, "users", policies, &issuer);
        let tokens = ServiceTokens::new(&secret(), "llm-chat");
        let link = Link::new("users", &route, Some(tokens))?;
        let mut people = UsersServiceClient::new(link.clone());
        let mut ids = Vec::new();
        for account in 0..accounts {
            let request = RegisterRequest {
                email: format!("person-{account}@example.org"),
                password: "a long enough password".to_owned(),
                display_name: String::new(),
            };
            let answer = people.register(request).await?.into_inner();
            ids.push(answer.user.context("no account")?.id);
        }
        Ok(Self {
            client: CreditsServiceClient::new(link),
            accounts: ids,
            _guards: [served, ground.stop.drop_guard()],
            _folder: folder,
        })
    }
}

#[async_trait]
impl Payment for Service {
    async fn pay(&self, number: usize, whose: Whose) -> anyhow::Result<f64> {
        let tokens = |output_tokens| {
            Some(Usage {
                input_tokens: 100,
                output_tokens,
                ..Usage::default()
            })
        };
        let price = |unit: PriceUnit, micros| Price {
            unit: unit.into(),
            micros,
            currency_code: "USD".to_owned(),
        };
        let generation_id = moment::new_id();
        let request = ReserveRequest {
            generation_id: generation_id.clone(),
            user_id: match whose {
                Whose::One => self.accounts[0].clone(),
                Whose::Many => self.accounts[number % self.accounts.len()].clone(),
            },
            medium: Medium::Chat.into(),
            model: "m".to_owned(),
            worst_case: tokens(4_096),
            prices: vec![
                price(PriceUnit::MillionInputTokens, 250_000),
                price(PriceUnit::MillionOutputTokens, 2_000_000),
            ],
        };
        let mut client = self.client.clone();
        let begun = Instant::now();
        client
            .reserve(Call::background(CALL).request(request))
            .await?;
        let waited = begun.elapsed().as_secs_f64();
        let settled = SettleRequest {
            generation_id,
            usage: tokens(50),
        };
        let answer = client
            .settle(Call::background(CALL).request(settled))
            .await?;
        let charged = answer.into_inner().charged_micros;
        ensure!(charged == COST, "{charged} was charged instead of {COST}");
        Ok(waited)
    }
}
