//! Reserve, Settle and Release as services call them.

use atelier_proto::generation::v1::Usage;
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::bank::{Bank, PICTURE, picture, price, told, usage, wait};
use crate::house::{bad_field, by, refused};
use crate::keys::internal;

const DOLLAR: i64 = 1_000_000;

#[tokio::test]
async fn a_generation_is_reserved_settled_and_gives_the_rest_back() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let request = pb::ReserveRequest {
        worst_case: Some(usage(4)),
        ..picture("g1", &user.id)
    };
    // Told again it is the same, and counted once.
    for _ in 0..3 {
        let allowance = bank.reserve(request.clone()).await.unwrap();
        assert_eq!(allowance.reserved_micros, 4 * PICTURE);
        assert_eq!(allowance.currency_code, "USD");
        assert_eq!((allowance.quota_limit, allowance.quota_remaining), (2, 1));
        let reset = allowance.quota_reset_time.unwrap();
        assert_eq!(reset.seconds % 86_400, 0);
        assert_eq!(
            bank.money(&tokens).await,
            (DOLLAR - 4 * PICTURE, 4 * PICTURE)
        );
        assert_eq!(bank.left(&tokens).await, 1);
    }
    for _ in 0..3 {
        assert_eq!(bank.settle("g1", 1).await.unwrap(), PICTURE);
        assert_eq!(bank.money(&tokens).await, (DOLLAR - PICTURE, 0));
    }
    // What comes after the end changes nothing.
    assert_eq!(bank.settle("g1", 4).await.unwrap(), PICTURE);
    bank.release("g1").await.unwrap();
    assert_eq!(bank.money(&tokens).await, (DOLLAR - PICTURE, 0));
    assert_eq!(bank.left(&tokens).await, 1);
    // A late repetition is answered as before, and moves nothing.
    let allowance = bank.reserve(request).await.unwrap();
    assert_eq!(
        (allowance.reserved_micros, allowance.quota_remaining),
        (4 * PICTURE, 1)
    );
    assert_eq!(bank.money(&tokens).await, (DOLLAR - PICTURE, 0));
    assert_eq!(bank.left(&tokens).await, 1);
}

#[tokio::test]
async fn what_is_released_costs_nothing_and_does_not_count() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.picture("g1", &user).await.unwrap();
    for _ in 0..2 {
        bank.release("g1").await.unwrap();
        assert_eq!(bank.money(&tokens).await, (DOLLAR, 0));
        assert_eq!(bank.left(&tokens).await, 2);
    }
    assert_eq!(bank.settle("g1", 1).await.unwrap(), 0);
    refused(
        bank.picture("g1", &user).await,
        Code::FailedPrecondition,
        "GENERATION_ENDED",
    );
    // One that was never reserved can be reserved no more.
    bank.release("g2").await.unwrap();
    assert_eq!(bank.settle("g3", 7).await.unwrap(), 0);
    for id in ["g2", "g3"] {
        refused(
            bank.picture(id, &user).await,
            Code::FailedPrecondition,
            "GENERATION_ENDED",
        );
    }
}

#[tokio::test]
async fn never_more_is_charged_than_was_set_aside() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.picture("g1", &user).await.unwrap();
    assert_eq!(bank.settle("g1", 3).await.unwrap(), PICTURE);
    assert_eq!(bank.money(&tokens).await, (DOLLAR - PICTURE, 0));
    assert_eq!(bank.house_account("shortfall").await, -2 * PICTURE);
    assert_eq!(bank.house_account("revenue").await, 3 * PICTURE);
    let accounts = bank.spending().await.house_accounts;
    let sum: i64 = accounts.iter().map(|account| account.balance_micros).sum();
    assert_eq!(sum + DOLLAR - PICTURE, 0, "{accounts:?}");
}

#[tokio::test]
async fn a_balance_that_does_not_cover_it_is_told() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let dear = |micros| pb::ReserveRequest {
        prices: vec![price(PriceUnit::Image, micros)],
        ..picture("g1", &user.id)
    };
    let answer = bank.reserve(dear(DOLLAR + 1)).await;
    let status = refused(answer, Code::ResourceExhausted, "INSUFFICIENT_CREDITS");
    assert_eq!(told(&status, "needed_micros").unwrap(), "1000001");
    assert_eq!(told(&status, "available_micros").unwrap(), "1000000");
    assert_eq!(wait(&status), None, "time does not help");
    // It was not begun: with less it is, to the last millionth.
    bank.reserve(dear(DOLLAR)).await.unwrap();
    assert_eq!(bank.money(&tokens).await, (0, DOLLAR));
}

#[tokio::test]
async fn prices_and_figures_are_checked() {
    let bank = Bank::new().await;
    let (user, _) = bank.house.register("ana@x.org").await;
    let with = |change: &dyn Fn(&mut pb::ReserveRequest)| {
        let mut request = picture("g1", &user.id);
        change(&mut request);
        bank.reserve(request)
    };
    let long = "x".repeat(201);
    bad_field(with(&|it| it.generation_id.clear()).await, "generation_id");
    bad_field(
        with(&|it| it.generation_id = long[..65].into()).await,
        "generation_id",
    );
    bad_field(with(&|it| it.user_id.clear()).await, "user_id");
    bad_field(with(&|it| it.model = long.clone()).await, "model");
    bad_field(with(&|it| it.medium = 0).await, "medium");
    bad_field(with(&|it| it.medium = 9).await, "medium");
    bad_field(with(&|it| it.worst_case = None).await, "worst_case");
    bad_field(
        with(&|it| it.worst_case = Some(usage(-1))).await,
        "worst_case.images",
    );
    bad_field(
        with(&|it| it.prices[0].micros = -1).await,
        "prices[0].micros",
    );
    bad_field(with(&|it| it.prices[0].unit = 0).await, "prices[0].unit");
    let twice = |it: &mut pb::ReserveRequest| it.prices.push(price(PriceUnit::Image, 1));
    bad_field(with(&twice).await, "prices[1].unit");
    let endless = |it: &mut pb::ReserveRequest| {
        it.prices[0].micros = i64::MAX;
        it.worst_case = Some(usage(2));
    };
    bad_field(with(&endless).await, "worst_case");
    let euros = |it: &mut pb::ReserveRequest| {
        let currency_code = "EUR".into();
        it.prices[0] = Price {
            currency_code,
            ..it.prices[0].clone()
        };
    };
    refused(
        with(&euros).await,
        Code::FailedPrecondition,
        "CURRENCY_MISMATCH",
    );
    refused(
        with(&|it| it.user_id = "nobody".into()).await,
        Code::NotFound,
        "NOT_FOUND",
    );

    for (field, figures) in [
        (
            "usage.input_tokens",
            Usage {
                input_tokens: -1,
                ..usage(0)
            },
        ),
        (
            "usage.output_tokens",
            Usage {
                output_tokens: -1,
                ..usage(0)
            },
        ),
        (
            "usage.characters",
            Usage {
                characters: -1,
                ..usage(0)
            },
        ),
        (
            "usage.audio_millis",
            Usage {
                audio_millis: -1,
                ..usage(0)
            },
        ),
    ] {
        let request = pb::SettleRequest {
            generation_id: "g1".into(),
            usage: Some(figures),
        };
        let mut client = bank.house.credits_as("tts");
        bad_field(client.settle(internal(request)).await, field);
    }
    let request = pb::SettleRequest {
        generation_id: "g1".into(),
        usage: None,
    };
    let mut client = bank.house.credits_as("tts");
    bad_field(client.settle(internal(request)).await, "usage");
    bad_field(bank.release("").await, "generation_id");
    // Nothing of all that was counted.
    assert!(bank.picture("g1", &user).await.is_ok());
}

#[tokio::test]
async fn all_units_are_counted_together() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let request = pb::ReserveRequest {
        medium: pb::Medium::Chat.into(),
        worst_case: Some(Usage {
            input_tokens: 1_000,
            output_tokens: 2_000,
            images: 1,
            characters: 3_000,
            audio_millis: 30_000,
            estimated: true,
        }),
        prices: vec![
            price(PriceUnit::MillionInputTokens, 1_000_000),
            price(PriceUnit::MillionOutputTokens, 2_000_000),
            price(PriceUnit::Image, 10),
            price(PriceUnit::MillionCharacters, 3_000_000),
            price(PriceUnit::AudioMinute, 100),
        ],
        ..picture("g1", &user.id)
    };
    let allowance = bank.reserve(request).await.unwrap();
    assert_eq!(allowance.reserved_micros, 1_000 + 4_000 + 10 + 9_000 + 50);
    // Chat is not counted in this plan.
    assert_eq!((allowance.quota_limit, allowance.quota_remaining), (0, 0));
    assert!(allowance.quota_reset_time.is_none());
    assert_eq!(bank.left(&tokens).await, 2);
}

#[tokio::test]
async fn only_services_pay() {
    let bank = Bank::new().await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let mut client = bank.house.credits();
    for tokens in [&tokens, &bank.root] {
        let answer = client.reserve(by(tokens, picture("g1", &user.id))).await;
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
        let request = pb::ReleaseRequest::default();
        let answer = client.release(by(tokens, request)).await;
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
        let request = pb::SettleRequest::default();
        let answer = client.settle(by(tokens, request)).await;
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
    }
    let answer = client.reserve(picture("g1", &user.id)).await;
    assert_ne!(answer.unwrap_err().code(), Code::Ok);
}

#[tokio::test]
async fn many_at_once_never_spend_more_than_there_is() {
    let bank = Bank::with("[plans.free]\nconcurrency = 1000\n[sign_up]\ncredits = 1").await;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let asks = (0..40).map(|number| {
        let (bank, user) = (&bank, &user);
        async move { bank.picture(&format!("g{number}"), user).await }
    });
    let answers = futures_util::future::join_all(asks).await;
    let fit = usize::try_from(DOLLAR / PICTURE).unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), fit);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer, Code::ResourceExhausted, "INSUFFICIENT_CREDITS");
    }
    assert_eq!(bank.money(&tokens).await, (0, DOLLAR));
}
