//! Whatever comes between, starts, ends, deletions, erasures and crashes: of an account that has left there is neither row nor
//! object, and what others have is whole.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::MemoryJournal;
use atelier_generation::store::SqlRecord;
use atelier_generation::testing::OpenPurse;
use atelier_generation::{Courier, Generations, NewGeneration, Output, Parts, Priority, Turns};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment::new_id;
use atelier_kit::objects::{BlobError, BlobInfo, ByteRange, SignedUrl, Stored};
use atelier_kit::sql::{self, Database};
use atelier_kit::testing::foundation;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_upstream::offers::Supply;
use bytes::Bytes;
use proptest::prelude::*;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::image::Commission;
use crate::provider::PictureProvider;
use crate::store::{ImageRows, SqlImageStore};

/// How long a put may still arrive after nobody waits for it any more, and how long is waited for it.
const LATE: Duration = Duration::from_millis(20);
const SETTLING: Micros = 80_000;
const LEASE: Duration = Duration::from_millis(120);

/// A store whose puts arrive although whoever sent them has gone, as those of a store elsewhere do.
#[derive(Clone)]
struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    elsewhere: Handle,
    /// How many more deletions go well before the store is away.
    fuse: Arc<Mutex<Option<u32>>>,
}

impl Bucket {
    fn new(elsewhere: &Runtime) -> Self {
        Self {
            objects: Arc::default(),
            elsewhere: elsewhere.handle().clone(),
            fuse: Arc::default(),
        }
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl BlobStore for Bucket {
    async fn put(&self, key: &ObjectKey, bytes: Bytes, _: &str) -> Result<Stored, BlobError> {
        let (objects, key, size) = (self.objects.clone(), key.to_string(), bytes.len() as u64);
        let arrives = self.elsewhere.spawn(async move {
            let late = u64::from(bytes.first().copied().unwrap_or(0) ^ bytes.len() as u8);
            tokio::time::sleep(LATE * u32::try_from(late % 8).unwrap() / 8).await;
            objects.lock().unwrap().insert(key, bytes);
        });
        arrives
            .await
            .map_err(|error| BlobError::Other(Box::new(error)))?;
        Ok(Stored {
            size,
            sha256_hex: String::new(),
        })
    }

    async fn get(&self, _: &ObjectKey, _: Option<ByteRange>) -> Result<Blob, BlobError> {
        Err(BlobError::NotFound)
    }

    async fn head(&self, _: &ObjectKey) -> Result<BlobInfo, BlobError> {
        Err(BlobError::NotFound)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BlobError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(left) = self.fuse.lock().unwrap().as_mut() {
            if *left == 0 {
                return Err(BlobError::Unavailable("the store is away".into()));
            }
            *left -= 1;
        }
        self.objects.lock().unwrap().remove(key.as_str());
        Ok(())
    }

    async fn list(&self, prefix: &str, _: Option<&ObjectKey>) -> Result<Vec<ObjectKey>, BlobError> {
        tokio::task::yield_now().await;
        let keys = self
            .keys()
            .into_iter()
            .filter(|key| key.starts_with(prefix));
        keys.map(ObjectKey::new).collect()
    }

    async fn signed_url(&self, _: &ObjectKey, _: Duration) -> Result<SignedUrl, BlobError> {
        Err(BlobError::NotFound)
    }

    fn describe(&self) -> String {
        "a bucket of the test".to_owned()
    }
}

/// Counts everything.
struct Counted;

#[async_trait]
impl Courier for Counted {
    async fn deliver(&self, _: Vec<UsageEvent>) -> Result<(), Fault> {
        Ok(())
    }
}

/// One process, until it crashes.
struct Life {
    runtime: Runtime,
    database: Database,
    pictures: Arc<Pictures>,
}

impl Life {
    fn begin(folder: &Path, bucket: &Bucket) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (database, pictures) = runtime.block_on(async {
            let tables = [atelier_generation::store::MIGRATIONS, crate::MIGRATIONS];
            let database = foundation(crate::ROLE, folder)
                .database("pictures.db", &tables)
                .await;
            let database = database.unwrap();
            let rows = ImageRows::new(SETTLING);
            let record = Arc::new(SqlRecord::new(database.clone(), Arc::new(rows)));
            let supply = Supply::fixed(None, vec![crate::painter::offline_model()]);
            let painters = crate::painter::Studio::still(supply, crate::painter::entries)
                .await
                .unwrap();
            let objects: Arc<dyn BlobStore> = Arc::new(bucket.clone());
            let generations = Generations::new(Parts {
                role: crate::ROLE,
                output: Output::Image,
                record: record.clone(),
                journal: Arc::new(MemoryJournal::default()),
                provider: Arc::new(PictureProvider::new(painters, objects.clone())),
                purse: Arc::new(OpenPurse),
                settlements: record.clone(),
                outbox: record,
                courier: Arc::new(Counted),
                turns: Turns::each(4),
                lease: LEASE,
                stop: CancellationToken::new(),
                tasks: TaskTracker::new(),
            });
            let store = Arc::new(SqlImageStore::new(database.clone()));
            let keeper = Keeper::new(store.clone(), objects.clone());
            let pictures = Pictures {
                store,
                objects,
                keeper,
                generations,
            };
            (database, Arc::new(pictures))
        });
        Self {
            runtime,
            database,
            pictures,
        }
    }

    /// Ends it in the middle of whatever it does.
    fn crash(self) {
        self.runtime.shutdown_background();
    }

    /// Lets time pass, while it goes on with what it does.
    fn pass(&self, time: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(time).await });
    }

    fn start(&self, owner: &str) -> Result<String, Fault> {
        let (id, commission) = (
            new_id(),
            Commission {
                prompt: format!("something of {owner}"),
                style: "line".to_owned(),
                width: 64,
                height: 64,
                seed: 7,
                asked: None,
            },
        );
        let new = NewGeneration {
            id: id.clone(),
            owner: owner.to_owned(),
            request_id: None,
            kind: "generate-image",
            body: Vec::new(),
            task: commission.encode(),
            provider: "offline".to_owned(),
            model: "atelier-painter".to_owned(),
            subject: id.clone(),
            priority: Priority::default(),
        };
        let begun = self.runtime.block_on(self.pictures.generations.start(new));
        begun.map(|_| id).map_err(Fault::from)
    }

    /// How many rows of a table are of an owner.
    fn rows(&self, table: &str, owner: &str) -> i64 {
        let column = if table.starts_with("generation") {
            "owner"
        } else {
            "user_id"
        };
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} = $1");
        let count = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(owner);
        let (count,): (i64,) = self
            .runtime
            .block_on(count.fetch_one(self.database.read()))
            .unwrap();
        count
    }
}

/// Every table that has rows of accounts.
const TABLES: [&str; 5] = [
    "images",
    "generations",
    "generation_outbox",
    "stale_histories",
    "leftovers",
];

#[derive(Clone, Debug)]
enum Step {
    Start(&'static str),
    /// Time passes, in milliseconds.
    Pass(u64),
    /// The latest picture of an owner is cancelled, or deleted.
    Cancel(&'static str),
    Delete(&'static str),
    /// A round of the keeper.
    Keep,
    /// Ana leaves; whoever asks may have to ask again.
    Leave,
    /// Ana leaves, and so many milliseconds later the process dies.
    LeaveAndCrash(u64),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let owner = prop_oneof![Just("ana"), Just("bob")];
    prop_oneof![
        5 => owner.clone().prop_map(Step::Start),
        3 => (0..150_u64).prop_map(Step::Pass),
        1 => owner.clone().prop_map(Step::Cancel),
        1 => owner.prop_map(Step::Delete),
        2 => Just(Step::Keep),
        1 => Just(Step::Leave),
        2 => (0..120_u64).prop_map(Step::LeaveAndCrash),
        1 => Just(Step::Crash),
    ]
}

/// Lives through the steps, then has Ana erased at last, and looks at what is there.
fn live(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Runtime::new().unwrap();
    let bucket = Bucket::new(&elsewhere);
    let mut life = Life::begin(folder.path(), &bucket);
    let mut begun: HashMap<&str, Vec<String>> = HashMap::new();
    let mut has_left = false;
    for step in steps {
        match step {
            Step::Start(owner) => match life.start(owner) {
                Ok(id) => {
                    assert!(
                        owner != "ana" || !has_left,
                        "something began after the account had left"
                    );
                    begun.entry(owner).or_default().push(id);
                }
                Err(fault) => {
                    assert!(owner == "ana", "{fault}");
                    assert_eq!(
                        (fault.kind(), fault.reason()),
                        (Kind::NotFound, "ACCOUNT_ERASED")
                    );
                }
            },
            Step::Pass(millis) => life.pass(Duration::from_millis(millis)),
            Step::Cancel(owner) => {
                if let Some(id) = begun.get(owner).and_then(|ids| ids.last()) {
                    let _ = life
                        .runtime
                        .block_on(life.pictures.generations.cancel(owner, id));
                }
            }
            Step::Delete(owner) => {
                let last = begun.get_mut(owner).and_then(Vec::pop);
                if let Some(id) = last {
                    let deleted = life
                        .runtime
                        .block_on(life.pictures.store.delete(owner, &id));
                    if matches!(deleted, Ok(false)) {
                        begun.entry(owner).or_default().push(id);
                    }
                }
            }
            Step::Keep => drop(life.runtime.block_on(life.pictures.keeper.round())),
            Step::Leave => {
                has_left = true;
                if let Err(fault) = life.runtime.block_on(life.pictures.erase("ana")) {
                    assert_eq!(fault.reason(), "STILL_ENDING");
                }
            }
            Step::LeaveAndCrash(millis) => {
                let pictures = life.pictures.clone();
                let leaving = life
                    .runtime
                    .spawn(async move { pictures.erase("ana").await.is_ok() });
                life.pass(Duration::from_millis(millis));
                has_left |= leaving.is_finished();
                life.crash();
                life = Life::begin(folder.path(), &bucket);
            }
            Step::Crash => {
                life.crash();
                life = Life::begin(folder.path(), &bucket);
            }
        }
    }

    let asked = Instant::now();
    while let Err(fault) = life.runtime.block_on(life.pictures.erase("ana")) {
        assert_eq!(fault.reason(), "STILL_ENDING", "{fault}");
        assert!(asked.elapsed() < Duration::from_secs(30), "never erased");
        life.pass(Duration::from_millis(20));
    }
    // What was on its way has arrived, and the keeper has looked.
    life.pass(LATE * 2);
    life.runtime.block_on(life.pictures.keeper.round()).unwrap();
    for table in TABLES {
        assert_eq!(life.rows(table, "ana"), 0, "{table}");
    }
    let keys = bucket.keys();
    for id in begun.get("ana").into_iter().flatten() {
        assert!(!keys.iter().any(|key| key.contains(id)), "{id}: {keys:?}");
    }
    assert!(
        !keys.iter().any(|key| key.starts_with("users/ana/")),
        "{keys:?}"
    );

    // What is Bob's is there, and whole.
    for id in begun.get("bob").into_iter().flatten() {
        let image = life
            .runtime
            .block_on(life.pictures.store.find("bob", id))
            .unwrap();
        if let Some(stored) = image.stored {
            assert!(keys.contains(&stored.s3_key), "{id}: {keys:?}");
        }
    }
    life.crash();
    elsewhere.shutdown_background();
}

#[test]
fn wherever_an_erasure_breaks_off_the_next_one_finds_the_rest() {
    let elsewhere = Runtime::new().unwrap();
    for deletions in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Bucket::new(&elsewhere);
        let life = Life::begin(folder.path(), &bucket);
        for _ in 0..2 {
            life.start("ana").unwrap();
        }
        let begun = Instant::now();
        while life.rows("generation_outbox", "ana") > 0 || life.pictures.generations.under_way() > 0
        {
            assert!(begun.elapsed() < Duration::from_secs(30), "never painted");
            life.pass(Duration::from_millis(5));
        }
        life.runtime.block_on(life.pictures.keeper.round()).unwrap();
        assert_eq!(bucket.keys().len(), 7, "two pictures and a history");
        *bucket.fuse.lock().unwrap() = Some(deletions);
        let broken = life.runtime.block_on(life.pictures.erase("ana")).is_err();
        assert_eq!(broken, deletions < 7, "after {deletions} deletions");
        life.crash();
        *bucket.fuse.lock().unwrap() = None;
        let life = Life::begin(folder.path(), &bucket);
        life.runtime.block_on(life.pictures.erase("ana")).unwrap();
        assert!(
            bucket.keys().is_empty(),
            "after {deletions} deletions: {:?}",
            bucket.keys()
        );
        for table in TABLES {
            assert_eq!(life.rows(table, "ana"), 0, "{table}");
        }
        life.crash();
    }
    elsewhere.shutdown_background();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_of_an_account_that_has_left_remains(steps in prop::collection::vec(step(), 1..16)) {
        live(steps);
    }
}
