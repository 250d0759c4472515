//! What the ring promises: whoever verifies has the key, whatever is rotated or missed meanwhile.

use atelier_kit::testing::servers::postgres_of;
use std::sync::OnceLock;

use atelier_kit::identity::{ACCESS_TYPE, KEY_LEAD, Role};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use jsonwebtoken::jwk::{JwkSet as TheirJwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proptest::prelude::*;

use super::*;
use crate::store::{self, SqlKeyStore};

const SEALING: [u8; 32] = [1; 32];
const SECOND: Micros = 1_000_000;
/// How long a key is published before it signs.
const AHEAD: Micros = 90 * SECOND;
/// The oldest rows that are signed with.
const SIGNED_WITHIN: Duration = Duration::from_secs(120);

/// Keys of one run, made once: making one takes a tenth of a second.
fn key(number: usize) -> SigningKey {
    static PAIRS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let pairs = PAIRS.get_or_init(|| {
        let made = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        (0..12)
            .map(|_| made().as_der().unwrap().as_ref().to_vec())
            .collect()
    });
    SigningKey::of(RsaKeyPair::from_pkcs8(&pairs[number]).unwrap()).unwrap()
}

fn row(number: usize, sign_time: Option<Micros>) -> SealedKey {
    SealedKey::of(&key(number), &SEALING, sign_time.unwrap_or(0), sign_time).unwrap()
}

fn of(rows: &[SealedKey]) -> Snapshot {
    snapshot(rows.to_vec(), &SEALING, &HashMap::new(), Instant::now()).unwrap()
}

fn states(snapshot: &Snapshot, now: Micros) -> Vec<KeyState> {
    snapshot.published(now).map(|(_, state)| state).collect()
}

fn claims(now: Micros) -> AccessClaims {
    let issued = u64::try_from(now / SECOND).unwrap();
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "u".to_owned(),
        sid: "s".to_owned(),
        role: Role::User,
        plan: "free".to_owned(),
        weight: 1,
        scope: None,
        iat: issued,
        exp: issued + ACCESS_SECONDS,
        jti: new_id(),
    }
}

#[test]
fn a_key_is_published_signs_retires_and_goes_by_the_clock_alone() {
    let ring = of(&[row(0, None), row(1, Some(1_000))]);
    use KeyState::{Next, Retired, Signing};
    assert_eq!(states(&ring, 999), [Next, Signing]);
    assert_eq!(states(&ring, 1_000), [Signing, Retired(1_000 + KEPT)]);
    assert_eq!(states(&ring, 999 + KEPT), [Signing, Retired(1_000 + KEPT)]);
    assert_eq!(states(&ring, 1_000 + KEPT), [Signing]);
    let signs = |now| ring.signing(now).unwrap().key.kid().to_owned();
    assert_eq!(signs(999), key(0).kid());
    assert_eq!(signs(1_000), key(1).kid());
}

#[test]
fn a_clock_that_was_set_back_before_all_keys_signs_with_the_first_that_is_left() {
    let ring = of(&[row(1, Some(1_000)), row(2, Some(2_000))]);
    assert_eq!(ring.signing(500).unwrap().key.kid(), key(1).kid());
    assert!(
        ring.sign(&claims(500), 500, Duration::ZERO, SIGNED_WITHIN)
            .is_ok()
    );
}

#[test]
fn nothing_is_signed_with_rows_that_were_read_long_ago() {
    let ring = of(&[row(0, None)]);
    assert_eq!(Pace::of(KEY_LEAD).signed_within, SIGNED_WITHIN);
    let sign = |age| ring.sign(&claims(0), 0, age, SIGNED_WITHIN);
    assert!(sign(SIGNED_WITHIN).is_ok());
    let late = sign(SIGNED_WITHIN + Duration::from_millis(1));
    assert!(matches!(late, Err(Error::KeysUnread)));
}

async fn open(folder: &std::path::Path) -> (KeyRing, KeyRing, Arc<SqlKeyStore>) {
    open_with(folder, KEY_LEAD).await
}

async fn open_with(
    folder: &std::path::Path,
    lead: Duration,
) -> (KeyRing, KeyRing, Arc<SqlKeyStore>) {
    let database = store::open(postgres_of(folder).as_ref(), folder)
        .await
        .unwrap();
    let store = Arc::new(SqlKeyStore::new(database));
    let open = || KeyRing::open(store.clone(), SEALING, lead, 0);
    let (one, two) = (open().await.unwrap(), open().await.unwrap());
    (one, two, store)
}

fn act() -> Act {
    Act::new("keys.rotated", "operator", "k")
}

#[tokio::test]
async fn two_rings_on_one_database_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, _) = open(folder.path()).await;
    assert_eq!(one.kid(0), two.kid(0));
    let next = key(0);
    one.add(&next, act(), 0).await.unwrap();
    assert!(one.is_rotating(0) && !two.is_rotating(0));
    two.read().await.unwrap();
    for ring in [&one, &two] {
        assert_ne!(ring.kid(AHEAD - 1), next.kid());
        assert_eq!(ring.kid(AHEAD), next.kid());
    }
    assert_eq!(
        one.key_set(0).await.unwrap(),
        two.key_set(0).await.unwrap(),
        "both publish it at once"
    );
}

#[tokio::test]
async fn one_rotation_at_a_time_also_when_two_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, _) = open(folder.path()).await;
    let (first, second) = (key(0), key(1));
    let (here, there) = tokio::join!(one.add(&first, act(), 5), two.add(&second, act(), 5));
    let refused = [here.err(), there.err()];
    let refused: Vec<&Error> = refused.iter().flatten().collect();
    assert!(
        matches!(refused[..], [Error::RotationUnderWay]),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_private_key_is_erased_an_hour_after_its_end_and_its_id_stays_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _, store) = open(folder.path()).await;
    let ends = KEPT + AHEAD;
    one.add(&key(0), act(), 0).await.unwrap();
    one.add(&key(1), act(), AHEAD).await.unwrap();
    one.erase(ends + ERASED_AFTER - 1).await.unwrap();
    assert_eq!(store.all().await.unwrap().len(), 3);
    one.erase(ends + ERASED_AFTER).await.unwrap();
    let left = store.all().await.unwrap();
    assert_eq!(left.len(), 2, "the first alone is gone");
    one.erase(ends + AHEAD + ERASED_AFTER).await.unwrap();
    one.read().await.unwrap();
    assert_eq!(store.all().await.unwrap().len(), 1);
    let again = one.add(&key(0), act(), ends * 9).await;
    assert!(matches!(again, Err(Error::KeyUnusable(_))));
    assert_eq!(one.kid(ends * 9), key(1).kid());
}

#[test]
fn a_key_opens_under_its_own_secret_and_id_alone() {
    let row = row(0, None);
    assert!(SigningKey::open(&SEALING, &row.kid, &row.sealed).is_ok());
    assert!(SigningKey::open(&[2; 32], &row.kid, &row.sealed).is_err());
    assert!(SigningKey::open(&SEALING, "another", &row.sealed).is_err());
}

#[test]
fn an_access_token_is_one_to_others_with_a_key_id_that_others_compute() {
    let key = key(0);
    let now = atelier_kit::moment::now();
    let told = serde_json::to_string(&JwkSet {
        keys: vec![key.jwk()],
    });
    let set: TheirJwkSet = serde_json::from_str(&told.unwrap()).unwrap();
    let theirs = &set.keys[0];
    assert_eq!(
        theirs.thumbprint(ThumbprintHash::SHA256).unwrap(),
        key.kid()
    );
    assert_eq!(theirs.common.key_id.as_deref(), Some(key.kid()));
    let token = key.sign(&claims(now)).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    let decoding = DecodingKey::from_jwk(theirs).unwrap();
    let read = jsonwebtoken::decode::<AccessClaims>(&token, &decoding, &validation).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some(ACCESS_TYPE));
    assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
    assert_eq!(read.claims.exp - read.claims.iat, ACCESS_SECONDS);
}

/// Something that happens to two services on one database.
#[derive(Clone, Copy, Debug)]
enum Step {
    Rotate(usize),
    Read(usize),
    Mint(usize),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..2_usize).prop_map(Step::Rotate),
        4 => (0..2_usize).prop_map(Step::Read),
        5 => (0..2_usize).prop_map(Step::Mint),
        3 => (0..40_i64).prop_map(Step::Pass),
        2 => (40..200_i64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// One service of the model: its clock is off by a little, and its ring is what it read last.
struct Service {
    ring: KeyRing,
    off: Micros,
    /// What it read, and when by everybody's clock.
    reads: Vec<(Micros, Arc<Snapshot>)>,
}

impl Service {
    async fn read(&mut self, now: Micros) {
        self.ring.read().await.unwrap();
        self.reads.push((now, self.ring.snapshot()));
    }

    fn age(&self, now: Micros) -> Duration {
        let read = self.reads.last().unwrap().0;
        Duration::from_micros(u64::try_from(now - read).unwrap())
    }

    /// The ids in the key set that it tells at a time; `None` when it tells none.
    fn told(&self, time: Micros) -> Option<Vec<String>> {
        let (read, snapshot) = self.reads.iter().rev().find(|(read, _)| *read <= time)?;
        let age = Duration::from_micros(u64::try_from(time - read).unwrap());
        (age <= self.ring.0.pace.told_within).then(|| {
            let told = snapshot.published(time + self.off);
            told.map(|(turn, _)| turn.key.kid().to_owned()).collect()
        })
    }
}

/// Two services whose keys sign `lead` after they were published, and verifiers that ask again for an unknown key after
/// `refetch`.
async fn run(steps: &[Step], lead: Duration, refetch: Micros) {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, _) = open_with(folder.path(), lead).await;
    // Clocks that differ by a few seconds, as far as the lead has room for it.
    let off = Micros::try_from(lead.as_micros()).unwrap() / 30;
    let mut services = [(one, 0), (two, off)].map(|(ring, off)| Service {
        reads: vec![(0, ring.snapshot())],
        ring,
        off,
    });
    let (mut now, mut added) = (0, 0);
    let mut minted: Vec<(Micros, Micros, String)> = Vec::new();
    for step in steps {
        match *step {
            Step::Pass(seconds) => now += seconds * SECOND,
            Step::Read(who) => services[who].read(now).await,
            Step::Rotate(who) if added < 12 => {
                let service = &mut services[who];
                let done = service
                    .ring
                    .add(&key(added), act(), now + service.off)
                    .await;
                match done {
                    Ok(_) => {
                        added += 1;
                        service.reads.push((now, service.ring.snapshot()));
                    }
                    Err(Error::RotationUnderWay) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Rotate(_) => {}
            Step::Mint(who) => {
                let service = &services[who];
                let (time, age) = (now + service.off, service.age(now));
                let claims = claims(time);
                let within = service.ring.0.pace.signed_within;
                match service.ring.snapshot().sign(&claims, time, age, within) {
                    Ok(token) => {
                        let header = jsonwebtoken::decode_header(&token).unwrap();
                        let exp = Micros::try_from(claims.exp).unwrap() * SECOND;
                        minted.push((now, exp, header.kid.unwrap()));
                    }
                    Err(Error::KeysUnread) => assert!(age > within, "refused too early"),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    // The time that the last tokens live, with services that read as they should.
    let within = services[0].ring.0.pace.told_within;
    let every = Micros::try_from(within.as_secs().min(20)).unwrap() * SECOND;
    let end = now + (ACCESS_SECONDS as Micros + 60) * SECOND;
    for service in &mut services {
        service.read(now).await;
    }
    while now < end {
        now += every;
        for service in &mut services {
            // Nobody writes any more: another reading would find the same.
            service.reads.push((now, service.ring.snapshot()));
        }
    }
    let times: Vec<Micros> = services
        .iter()
        .flat_map(|service| service.reads.iter().map(|(read, _)| *read))
        .collect();
    for (time, exp, kid) in &minted {
        // A verifier's leeway lengthens a token's life.
        let exp = exp + 5 * SECOND;
        let asked = [time - refetch, *time, exp];
        let meanwhile = times
            .iter()
            .copied()
            .filter(|read| (*time..exp).contains(read));
        for asked in asked.into_iter().chain(meanwhile) {
            for (who, service) in services.iter().enumerate() {
                let told = service.told(asked);
                assert!(
                    told.is_none_or(|told| told.contains(kid)),
                    "service {who} does not tell at {asked} the key of a token of {time}..{exp}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn every_token_verifies_with_what_was_told_a_minute_before_and_until_it_expires(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps, KEY_LEAD, 60 * SECOND));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn so_it_does_where_keys_sign_sooner_and_where_they_sign_later(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps, Duration::from_secs(12), 8 * SECOND));
        runtime.block_on(run(&steps, Duration::from_secs(600), 60 * SECOND));
    }
}
