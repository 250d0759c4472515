//! Lists: one's own generations, the newest first, page by page, whatever comes meanwhile.

use atelier_proto::generation::v1::State;

use crate::puppet::Act;
use crate::stage::{Plan, Process, collect, file, next};

#[tokio::test]
async fn a_list_shows_ones_own_the_newest_first_and_the_open_ones_alone_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        at_once: 25,
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let (mut ids, mut open) = (Vec::new(), Vec::new());
    for at in 0..30 {
        let (id, mut stream) = process.begin().await;
        let _his = process.begin_of("bob", 1).await;
        if at % 3 == 0 {
            next(&mut stream, 2).await;
            open.insert(0, id.clone());
        } else {
            process.puppets.say(&id, "a word");
            process.puppets.finish(&id);
            collect(stream).await;
        }
        // bob's are in the way of nobody.
        ids.insert(0, id);
        if at == 4 {
            break;
        }
    }
    let failing = process.begin().await;
    process.puppets.tell(
        &failing.0,
        Act::Fail(atelier_generation::Failure::lasting("NO", "not this one")),
    );
    collect(failing.1).await;
    ids.insert(0, failing.0);

    let mut paged = Vec::new();
    loop {
        let before = paged.last().cloned();
        let page = process
            .record
            .list("ana", before.as_deref(), false, 4)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page.into_iter().map(|row| row.id));
        // What comes while one turns the pages is not on the later ones.
        let (_, _stream) = process.begin_of("ana", 1).await;
    }
    assert_eq!(paged, ids);
    let listed = process.record.list("ana", None, true, 100).await.unwrap();
    let listed: Vec<String> = listed
        .into_iter()
        .map(|row| row.id)
        .filter(|id| ids.contains(id))
        .collect();
    assert_eq!(listed, open);

    let rows = process.record.list("ana", None, false, 100).await.unwrap();
    let row = |id: &str| rows.iter().find(|row| row.id == id).unwrap();
    let failed = row(&ids[0]);
    assert_eq!(
        (
            failed.state,
            failed.failure.as_ref().unwrap().reason.as_str()
        ),
        (State::Failed, "NO")
    );
    let done = row(&ids[1]);
    assert_eq!(done.subject, "a shelf of ana");
    assert_eq!(
        (done.provider.as_str(), done.model.as_str()),
        ("puppets", "wood")
    );
    assert_eq!(done.usage.unwrap().output_tokens, 1);
    assert!(done.end_time.unwrap() >= done.create_time);
    let running = row(&open[0]);
    assert!(running.end_time.is_none() && running.usage.is_none());
    assert_eq!(running.state, State::Running);
}
