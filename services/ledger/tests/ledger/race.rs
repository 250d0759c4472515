//! Two processes at once on one book: as many are paid for as there is money, and not one more.

use std::path::PathBuf;

use atelier_ledger::{Error, Ledger as _, Refusal};
use futures_util::future::join_all;

use crate::audit::audit;
use crate::stage::{Book, NOW, ask, ended, pictures, process, terms};

/// Tells this test binary to be one of the two, and in which folder.
const RACER: &str = "ATELIER_TEST_RACER";
/// Which of the two it is.
const NAME: &str = "ATELIER_TEST_RACER_NAME";
const EACH: usize = 5_000;
const PRICE: i64 = 7;
const COVERED: i64 = 100;

/// Not a test: the life of a process that wants as much as it can get, when this binary was started to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racer() {
    let Some(folder) = std::env::var_os(RACER).map(PathBuf::from) else {
        return;
    };
    let name = std::env::var_os(NAME).unwrap().into_string().unwrap();
    let book = Book::open(&folder).await;
    std::fs::write(folder.join(format!("{name}-ready")), b"").unwrap();
    while !folder.join("go").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let all = (0..EACH).map(|number| {
        let (book, id) = (book.clone(), format!("{name}-{number}"));
        tokio::spawn(async move {
            let ask = ask(&id, "ana", PRICE);
            loop {
                match book.ledger.reserve(&ask, &terms(), NOW).await {
                    // The other has been writing for long; it is to be asked again, as whoever pays would.
                    Err(Error::Busy) => {}
                    told => return (id, told),
                }
            }
        })
    });
    let mut lines = String::new();
    for told in join_all(all).await {
        let (id, told) = told.unwrap();
        let word = match told {
            Ok(reserved) if reserved.amount == PRICE => "reserved",
            Err(Error::Refused(Refusal::Insufficient { .. })) => "insufficient",
            other => panic!("{other:?}"),
        };
        lines.push_str(&format!("{id} {word}\n"));
    }
    std::fs::write(folder.join(format!("{name}-told")), lines).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_at_once_in_two_processes_spend_what_there_is_and_no_more() {
    let (book, folder) = Book::new().await;
    // Of several grants, and a rest that covers no more.
    for amount in [PRICE * 30 + 3, PRICE * 30, PRICE * 40 - 3 + PRICE - 1] {
        book.give("ana", amount).await;
    }
    let names = ["one", "two"];
    let racers = names.map(|name| {
        process("race::racer")
            .env(RACER, folder.path())
            .env(NAME, name)
            .spawn()
            .unwrap()
    });
    atelier_kit::testing::eventually("both are ready", || async {
        let ready = |name: &str| folder.path().join(format!("{name}-ready")).exists();
        names.into_iter().all(ready)
    })
    .await;
    std::fs::write(folder.path().join("go"), b"").unwrap();
    for racer in racers {
        assert!(ended(racer).await.success());
    }

    let mut reserved = Vec::new();
    let mut of_each = [0; 2];
    let mut refused = 0;
    for (name, of) in names.iter().zip(&mut of_each) {
        let told = std::fs::read_to_string(folder.path().join(format!("{name}-told"))).unwrap();
        for line in told.lines() {
            match line.split_once(' ').unwrap() {
                (id, "reserved") => {
                    *of += 1;
                    reserved.push(id.to_owned());
                }
                _ => refused += 1,
            }
        }
    }
    assert_eq!(
        (reserved.len(), refused),
        (COVERED as usize, 2 * EACH - COVERED as usize)
    );
    assert_eq!(book.balance("ana").await, (PRICE - 1, COVERED * PRICE));
    audit(&book.database).await;
    // Who was told that it is reserved has it, and each is charged.
    for id in &reserved {
        let told = book.ledger.settle(id, &pictures(PRICE), NOW).await.unwrap();
        assert_eq!(told.charged, PRICE);
    }
    assert_eq!(book.balance("ana").await, (PRICE - 1, 0));
    audit(&book.database).await;
    atelier_kit::testing::campaign::report(format!("the two processes got {of_each:?}"));
}
