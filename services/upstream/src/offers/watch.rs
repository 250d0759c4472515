//! What is offered, changed as a whole when the file changes: a wrong file changes nothing, and is told once.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use atelier_kit::moment;
use atelier_kit::service::{Foundation, StartError};
use atelier_kit::stopgap::{Stopgap, Stopgaps};
use tokio::time::MissedTickBehavior;

use super::menu::{Menu, Offered};
use super::supply::{File, Sight, Supply};
use crate::calls::Callers;
use crate::registry::{MODELS, ModelSpec, OFFLINE, ProviderSpec, Registry};

/// A changed file is read once it has been still for so long: some are written in pieces.
const STILL: Duration = Duration::from_millis(250);
/// How often its stillness is waited for before it is read all the same.
const WAITS: u32 = 40;

/// Makes what is offered from a registry, with those who call its providers.
pub trait Maker<E>: Send + Sync + 'static {
    /// Makes all of it.
    fn make(&self, registry: &Registry, callers: &Callers) -> Result<Vec<E>, StartError>;
}

impl<E, F> Maker<E> for F
where
    F: Fn(&Registry, &Callers) -> Result<Vec<E>, StartError> + Send + Sync + 'static,
{
    fn make(&self, registry: &Registry, callers: &Callers) -> Result<Vec<E>, StartError> {
        self(registry, callers)
    }
}

/// What a service offers.
pub struct Offers<E> {
    callers: Callers,
    menu: RwLock<Arc<Menu<E>>>,
}

impl<E: Offered> Offers<E> {
    /// Offers what is supplied, and from then on what the file says, where there is one.
    pub async fn open(
        supply: Supply,
        maker: impl Maker<E>,
        foundation: &Foundation,
    ) -> Result<Arc<Self>, StartError> {
        let role = foundation.role;
        let offers = Arc::new(Self::of(supply.registry, &maker).await?);
        told(role, &offers.now());
        for (stopgap, what) in stands_on(offers.now().registry()) {
            foundation
                .stopgaps
                .uses(stopgap, format!("{what} of {role}"));
        }
        if let Some(file) = supply.file {
            read(role, true);
            let watched = offers.clone();
            let stop = foundation.stop.clone();
            let stopgaps = foundation.stopgaps.clone();
            foundation.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = watch(role, file, &watched, maker, &stopgaps) => {}
                }
            });
        }
        Ok(offers)
    }

    /// Offers what is supplied, and looks at no file.
    pub async fn still(supply: Supply, maker: impl Maker<E>) -> Result<Arc<Self>, StartError> {
        Ok(Arc::new(Self::of(supply.registry, &maker).await?))
    }

    async fn of(registry: Registry, maker: &impl Maker<E>) -> Result<Self, StartError> {
        let callers = Callers::default();
        let menu = menu(&callers, registry, maker).await?;
        Ok(Self {
            callers,
            menu: RwLock::new(Arc::new(menu)),
        })
    }

    /// Who calls the providers.
    pub fn callers(&self) -> &Callers {
        &self.callers
    }

    /// What is offered now.
    pub fn now(&self) -> Arc<Menu<E>> {
        self.menu
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many generations work at a provider at once: what the registry says at that moment, else so many.
    pub fn lanes(self: Arc<Self>, otherwise: usize) -> impl Fn(&str) -> usize + Send + Sync {
        move |provider| self.now().at_once(provider).unwrap_or(otherwise)
    }

    fn change(&self, menu: Menu<E>) {
        *self.menu.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(menu);
    }
}

async fn watch<E: Offered>(
    role: &'static str,
    file: File,
    offers: &Offers<E>,
    maker: impl Maker<E>,
    stopgaps: &Stopgaps,
) {
    let mut ticks = tokio::time::interval(file.pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = file.sight.clone();
    // What was wrong the last time: told once, and looked at again even if the file stays as it is, for it may have
    // been a key that was missing.
    let mut wrong: Option<String> = None;
    let mut asked = file.reread.listen();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // Whoever asks is told again what is wrong.
            () = asked.next() => wrong = wrong.map(|_| String::new()),
        }
        let sight = look(&file, &last).await;
        if sight == last && wrong.is_none() {
            continue;
        }
        if sight != last {
            last = still(&file, sight).await;
        }
        let outcome = match blocking(&file, File::read).await {
            Ok((registry, sight)) => {
                last = sight;
                match refused(&registry, stopgaps) {
                    Some(what) => Err(what),
                    None => {
                        let made = menu(&offers.callers, registry, &maker).await;
                        made.map_err(|error| atelier_kit::fault::chain(&error).to_string())
                    }
                }
            }
            Err(problems) => Err(problems.to_string()),
        };
        match outcome {
            Ok(menu) => {
                offers.change(menu);
                wrong = None;
                read(role, true);
                let path = file.path().display();
                tracing::info!(file = %path, "the registry of models was read again");
                told(role, &offers.now());
            }
            Err(what) if wrong.as_ref() == Some(&what) => {}
            Err(what) => {
                read(role, false);
                tracing::error!(
                    "the registry of models cannot be used, and what was offered before stays:\n{what}"
                );
                wrong = Some(what);
            }
        }
    }
}

/// What in a registry is no ground for a service in earnest; who it is.
fn stands_on(registry: &Registry) -> Vec<(Stopgap, String)> {
    let mut found = Vec::new();
    let offline = |model: &&ModelSpec| model.provider == OFFLINE;
    if let Some(model) = registry.models.iter().find(offline) {
        let what = format!("{}, a built-in model ({})", model.id, MODELS.name);
        found.push((Stopgap::Offline, what));
    }
    let simulated = |spec: &&ProviderSpec| {
        let mut endpoints = spec.endpoints.iter();
        endpoints.any(|url| url.scheme() == atelier_simulator::SCHEME)
    };
    if let Some(spec) = registry.providers.iter().find(simulated) {
        let what = format!(
            "the provider {}, which is simulated ({})",
            spec.name, MODELS.name
        );
        found.push((Stopgap::Simulator, what));
    }
    found
}

/// Why a registry that was changed cannot be taken by this process.
fn refused(registry: &Registry, stopgaps: &Stopgaps) -> Option<String> {
    let found = stands_on(registry).into_iter();
    let refused: Vec<String> = found
        .filter(|(stopgap, _)| !stopgaps.may(*stopgap))
        .map(|(stopgap, what)| format!("{}: {what}", stopgap.name()))
        .collect();
    (!refused.is_empty()).then(|| refused.join("\n"))
}

/// What a registry offers. Providers that are as they were keep their callers, with all that these have learnt.
async fn menu<E: Offered>(
    callers: &Callers,
    registry: Registry,
    maker: &impl Maker<E>,
) -> Result<Menu<E>, StartError> {
    let others = registry.providers.iter();
    let others: Vec<ProviderSpec> = others
        .filter(|spec| spec.name != OFFLINE)
        .cloned()
        .collect();
    callers
        .take(&others)
        .await
        .map_err(|error| StartError::other("a provider of the registry", error))?;
    let entries = maker.make(&registry, callers)?;
    Ok(Menu::new(registry, entries))
}

/// Waits until a file has looked the same for a while.
async fn still(file: &File, mut sight: Sight) -> Sight {
    let pause = STILL.min(file.pace);
    for _ in 0..WAITS {
        tokio::time::sleep(pause).await;
        let now = look(file, &sight).await;
        if now == sight {
            break;
        }
        sight = now;
    }
    sight
}

async fn look(file: &File, last: &Sight) -> Sight {
    let keys = last.keys.clone();
    blocking(file, move |file| file.look(&keys)).await
}

/// Files are read off the threads that serve.
async fn blocking<T: Send + 'static>(
    file: &File,
    work: impl FnOnce(&File) -> T + Send + 'static,
) -> T {
    let file = file.clone();
    match tokio::task::spawn_blocking(move || work(&file)).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What the log and the metrics say of a registry that holds now.
fn told<E: Offered>(role: &'static str, menu: &Menu<E>) {
    if let Some(doubts) = menu.doubts(moment::now()) {
        tracing::warn!("{doubts}");
    }
    let count = u32::try_from(menu.registry().models.len()).unwrap_or(u32::MAX);
    metrics::gauge!("atelier_registry_models", "service" => role).set(count);
}

fn read(role: &'static str, is_good: bool) {
    let outcome = if is_good { "taken" } else { "refused" };
    metrics::counter!(
        "atelier_registry_readings_total", "service" => role, "outcome" => outcome
    )
    .increment(1);
    metrics::gauge!("atelier_registry_is_good", "service" => role)
        .set(f64::from(u8::from(is_good)));
}
