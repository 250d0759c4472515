//! Six processes with certificates between them under 200 calls a second: the signing key is rotated twice and all
//! certificates are renewed several times meanwhile, and no call is refused and none is lost.

mod load;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::load::{Crowd, PER_SECOND};
use crate::handshake::Stranger;
use crate::running::{Launch, eventually};
use crate::split::{SERVICES, SIX, Split};

/// How long a key is published before it signs here, in seconds; by default it is 90. Everything that must happen in
/// between (that key sets are told from fresh rows, that services ask for the unknown key) is sooner in proportion.
const LEAD_SECONDS: &str = "12";
/// How long a rotation may take: the lead, and a token that is refreshed afterwards on a busy machine.
const ROTATED: Duration = Duration::from_secs(30);
/// How long a listener may show an old certificate: files are looked at once a second, on a connection.
const RENEWED: Duration = Duration::from_secs(10);
/// The service of this test, which calls the others directly.
const CALLER: &str = "caller";

/// Rotates the signing key as its operator does.
async fn rotate(mesh: &mut Split) {
    let (data, admin) = (mesh.data("users"), mesh.admin("users"));
    let rotated = Launch::new(&["admin", "keys", "rotate"])
        .args(&["--data", &data, "--admin-url", &admin])
        .run()
        .await;
    assert_eq!(rotated.code(), Some(0), "{rotated:?}");
}

/// Makes a certificate for the caller, by the authority in a folder that there may not be yet.
async fn certify(folder: &Path) {
    let to = folder.display().to_string();
    let made = Launch::new(&["admin", "certs", "--to", &to, "--service", CALLER])
        .run()
        .await;
    assert_eq!(made.code(), Some(0), "{made:?}");
}

/// The certificate of every service, as its listener shows it now.
async fn shown(mesh: &Split, folder: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (role, _) in SERVICES {
        let (folder, url) = (folder.to_path_buf(), mesh.of(role).to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let caller = Stranger {
                folder: &folder,
                shown: Some(CALLER),
            };
            caller.sees(&url, role)
        });
        all.push(looked.await.unwrap());
    }
    all
}

/// Renews every certificate, and waits until all listeners show their new ones.
async fn renew(mesh: &Split, folder: &Path) {
    let before = shown(mesh, folder).await;
    certify(folder).await;
    mesh.renew_certificates(folder).await;
    eventually(
        "every listener shows a new certificate",
        RENEWED,
        || async {
            let now = shown(mesh, folder).await;
            now.iter().zip(&before).all(|(now, then)| now != then)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_certificates_are_renewed_under_load_and_no_call_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("authority");
    let mut mesh = Split::plan(&SIX, folder.path())
        .set("ATELIER_KEY_LEAD_SECONDS", LEAD_SECONDS)
        .with_certificates(&certificates)
        .await;
    certify(&certificates).await;
    mesh.renew_certificates(&certificates).await;
    for roles in SIX {
        mesh.begin(roles[0]).await;
    }
    let crowd = Arc::new(Crowd::gather(&mesh, &certificates).await);
    let before: BTreeSet<String> = crowd.kids();
    assert_eq!(before.len(), 1, "one key signs at first");
    let load = load::begin(crowd.clone());

    for rotation in 1..=2 {
        renew(&mesh, &certificates).await;
        let known = crowd.kids();
        rotate(&mut mesh).await;
        renew(&mesh, &certificates).await;
        eventually(
            "every token is signed with the next key",
            ROTATED,
            || async { crowd.kids_now().is_disjoint(&known) },
        )
        .await;
        assert_eq!(crowd.kids().len(), rotation + 1, "{:?}", crowd.kids());
    }
    renew(&mesh, &certificates).await;
    let done = load.end().await;

    assert!(
        done.refused.is_empty(),
        "{} of {} calls were refused: {:#?}",
        done.refused.len(),
        done.begun,
        &done.refused[..done.refused.len().min(10)]
    );
    assert_eq!(done.answered, done.begun, "a call was lost");
    let paced = done.lasted.as_secs() * u64::from(PER_SECOND);
    assert!(
        done.begun >= paced,
        "{} calls in {:?}",
        done.begun,
        done.lasted
    );
    // Everybody called every service with tokens of every key.
    for (role, _) in SERVICES {
        assert_eq!(done.kids_at[role], crowd.kids(), "at {role}");
    }
    crowd.made_is_there().await;
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
