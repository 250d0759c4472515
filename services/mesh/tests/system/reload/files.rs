//! Origins, limits and plans, which every process reads again by itself, and at once when it is told to.

use atelier_proto::users::v1::{GetMeRequest, ListPlansRequest};
use tonic::Code;

use super::{Reply, SCRIPT, SEEN, question, tells, write};
use crate::people::Person;
use crate::running::{Launch, Running, eventually};
use crate::web;

const LIMITS: &str = "[read]\naccount = { per_minute = 60_000 }\n";

/// Whether a page of this origin may call.
async fn may_call(mesh: &Running, origin: &str) -> bool {
    let page = web::try_get(mesh.edge(), Some(("origin", origin))).await;
    let headers = page.expect("the page of the edge").headers;
    headers.contains_key("access-control-allow-origin")
}

/// The names of all plans.
async fn plans(ada: &Person) -> Vec<String> {
    let answer = ada.credits().list_plans(ListPlansRequest {}).await;
    let plans = answer.unwrap().into_inner().plans;
    plans.into_iter().map(|plan| plan.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_limits_and_plans_change_and_a_wrong_file_does_not_and_a_stream_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (origins, limits) = (file("origins"), file("limits.toml"));
    let tiers = file("plans.toml");
    write(&origins, "https://one.example\n");
    write(&limits, LIMITS);
    write(&tiers, "[plans.free]\n");
    let mesh = Launch::serving(&[], &file("data"))
        .env("ATELIER_CORS_ORIGINS_FILE", origins.display().to_string())
        .env("ATELIER_LIMITS", limits.display().to_string())
        .env("ATELIER_PLANS", tiers.display().to_string())
        .env("ATELIER_CHAT_URL", SCRIPT)
        .env("ATELIER_CHAT_MODELS", "simulated")
        .start()
        .await;
    let ada = Person::register(mesh.edge()).await;
    let reply = Reply::listen(ada.chat().complete(question()).await.unwrap().into_inner()).await;

    assert!(may_call(&mesh, "https://one.example").await);
    assert!(!may_call(&mesh, "https://two.example").await);
    write(&origins, "# the pages\nhttps://two.example\n");
    eventually("the origins are read", SEEN, || {
        may_call(&mesh, "https://two.example")
    })
    .await;
    assert!(!may_call(&mesh, "https://one.example").await);

    write(&origins, "https://three.example\nno origin\n");
    eventually("the wrong origins are told", SEEN, || {
        tells(&mesh, "atelier_cors_origins_are_good 0")
    })
    .await;
    assert!(may_call(&mesh, "https://two.example").await);
    assert!(!may_call(&mesh, "https://three.example").await);
    assert!(mesh.log().contains("line 2"), "{}", mesh.log());

    assert_eq!(plans(&ada).await, ["free"]);
    // What the reply has reserved is under way, and a plan that lets nobody do anything is for those who come.
    write(
        &tiers,
        "[plans.free]\nquotas = { chat = 0 }\n[plans.more]\n",
    );
    eventually("the plans are read", SEEN, || async {
        plans(&ada).await == ["free", "more"]
    })
    .await;
    let refused = ada.chat().complete(question()).await.unwrap().into_inner();
    let end = format!("{:?}", crate::told::listen(refused).await.end());
    assert!(end.contains("QUOTA_EXHAUSTED"), "{end}");
    write(&tiers, "[plans.less]\n");
    eventually("the wrong plans are told", SEEN, || {
        tells(&mesh, "atelier_plans_are_good 0")
    })
    .await;
    assert_eq!(plans(&ada).await, ["free", "more"]);

    write(&limits, "[read]\naccount = { per_minute = 1, burst = 1 }\n");
    eventually("the limits are read", SEEN, || async {
        let answer = ada.users().get_me(GetMeRequest {}).await;
        answer.is_err_and(|status| status.code() == Code::ResourceExhausted)
    })
    .await;
    write(&limits, "nonsense");
    eventually("the wrong limits are told", SEEN, || {
        tells(&mesh, "atelier_limits_are_good 0")
    })
    .await;
    write(&limits, LIMITS);
    eventually("the limits are as before", SEEN, || async {
        ada.users().get_me(GetMeRequest {}).await.is_ok()
    })
    .await;

    reply.goes_on_to_its_end().await;
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_every_file_and_tells_again_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let files = [
        (
            "ATELIER_CORS_ORIGINS_FILE",
            file("origins"),
            "https://one.example\n",
        ),
        ("ATELIER_LIMITS", file("limits.toml"), LIMITS),
        ("ATELIER_PLANS", file("plans.toml"), "[plans.free]\n"),
        ("ATELIER_MODELS", file("models.toml"), MODELS),
        ("ATELIER_ROUTES", file("routes.toml"), ""),
    ];
    let mut launch = Launch::serving(&[], &file("data"));
    for (name, path, text) in &files {
        write(path, text);
        launch = launch.env(name, path.display().to_string());
    }
    let mesh = launch.start().await;
    const WRONG: [&str; 5] = [
        "the origins of pages cannot be used",
        "the limits cannot be used",
        "the plans cannot be used",
        "the registry of models cannot be used",
        "the routes cannot be used",
    ];
    // The registry is told by each of the three media.
    let told = |what: &str| mesh.log().matches(what).count();
    let times = |what: &str| if what.contains("registry") { 3 } else { 1 };
    for (_, path, _) in &files {
        write(path, "nonsense");
    }
    eventually("each is told once", SEEN, || async {
        WRONG.iter().all(|what| told(what) == times(what))
    })
    .await;
    // Nobody tells it again who is not asked.
    mesh.signal("HUP");
    eventually("each is told again", SEEN, || async {
        WRONG.iter().all(|what| told(what) == 2 * times(what))
    })
    .await;
    for (_, path, text) in &files {
        write(path, text);
    }
    mesh.signal("HUP");
    eventually("all are good", SEEN, || async {
        tells(&mesh, "atelier_plans_are_good 1").await
            && tells(&mesh, "atelier_limits_are_good 1").await
            && tells(&mesh, "atelier_routes_are_good 1").await
            && tells(&mesh, "atelier_cors_origins_are_good 1").await
    })
    .await;
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

const MODELS: &str = r#"
[[models]]
id = "atelier-offline"
medium = "chat"
provider = "offline"

[[models]]
id = "atelier-painter"
medium = "image"
provider = "offline"

[[models]]
id = "flite"
medium = "speech"
provider = "offline"
voices = ["kal"]
"#;
