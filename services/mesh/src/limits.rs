//! The limits of the process, and `atelier limits`: looks at a file of limits before a mesh does.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use atelier_kit::config::{ConfigError, Settings};
use atelier_kit::followed::FollowedFile;
use atelier_kit::limit::{Bucket, LIMITS, Limits, Scope, Table};
use atelier_kit::policy::Policies;
use atelier_kit::redis::Redis;
use atelier_kit::service::{Engines, StartError};
use atelier_kit::stopgap::{Stopgap, Stopgaps};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::LimitsCommand;
use crate::client::terminal::print;

/// What limits there are, and the file that says so, where there is one.
#[derive(Debug)]
pub struct LimitsConfig {
    table: Table,
    file: Option<FollowedFile>,
}

impl LimitsConfig {
    /// Reads the file that the settings name; without one the built-in limits hold.
    pub fn read(settings: &Settings) -> Self {
        match settings.file(&LIMITS, Table::read) {
            Some((file, table)) => Self {
                table,
                file: Some(file),
            },
            None => Self {
                table: Table::default(),
                file: None,
            },
        }
    }

    /// The limits of this process, kept as their file says until `stop`: counted on the Redis server that the replicas share,
    /// or where there is none in this process alone.
    pub fn open(
        &self,
        engines: &Engines,
        stopgaps: &Stopgaps,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Arc<Limits>, StartError> {
        let limits = Arc::new(match &engines.redis {
            Some(server) => {
                let redis = Redis::new(server)
                    .map_err(|error| StartError::other(server.to_string(), error))?;
                Limits::shared(self.table.clone(), redis)
            }
            None => {
                stopgaps.uses(Stopgap::Memory, "limits of one process (ATELIER_REDIS_URL)");
                Limits::local(self.table.clone())
            }
        });
        if let Some(file) = self.file.clone() {
            let (followed, stop) = (limits.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = atelier_kit::limit::follow(file, followed) => {}
                }
            });
        }
        Ok(limits)
    }
}

/// Where the limits are counted, as the inventory tells it.
pub fn told(engines: &Engines) -> String {
    match &engines.redis {
        Some(server) => format!("{server}, in memory while it is away"),
        None => "memory".to_owned(),
    }
}

/// A method whose bucket nobody knows would be a method without a limit.
pub fn know_every_bucket(policies: &Policies) -> anyhow::Result<()> {
    for (path, policy) in policies.iter() {
        let name = policy.rate_bucket.as_str();
        if name != Bucket::UNLIMITED && Bucket::of(name).is_none() {
            anyhow::bail!(
                "the method {path} has the rate bucket {name}, for which there is no limit"
            );
        }
    }
    Ok(())
}

/// Does what was asked.
pub fn run(command: &LimitsCommand) -> anyhow::Result<()> {
    match command {
        LimitsCommand::Check { file } => check(file),
    }
}

/// A wrong file is a wrong setting.
fn check(file: &Path) -> anyhow::Result<()> {
    let table = FollowedFile::new(file)
        .read(Table::read)
        .map_err(|error| ConfigError(error.to_string()))?;
    print(&summary(&table))
}

/// What holds with a file, a line for each bucket.
fn summary(table: &Table) -> String {
    let mut said = format!("{:8}", "a minute");
    for scope in Scope::ALL {
        // Writing to a text cannot fail.
        let _ = write!(said, "  {:>12}", scope.name());
    }
    for bucket in Bucket::ALL {
        let _ = write!(said, "\n{:8}", bucket.name());
        for scope in Scope::ALL {
            let limit = match table.quota(bucket, scope) {
                None => "unlimited".to_owned(),
                Some(quota) if quota.burst() == quota.per_minute() => {
                    quota.per_minute().to_string()
                }
                Some(quota) => format!("{} ({})", quota.per_minute(), quota.burst()),
            };
            let _ = write!(said, "  {limit:>12}");
        }
    }
    said.push('\n');
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/limits.toml")
    }

    #[test]
    fn the_example_is_what_is_built_in() {
        let table = FollowedFile::new(example()).read(Table::read).unwrap();
        assert_eq!(table, Table::default());
    }

    #[test]
    fn every_bucket_of_the_contract_is_known() {
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        know_every_bucket(&policies).unwrap();
        // Those of the mesh alone, and no other, draw nothing.
        for (path, policy) in policies.iter() {
            assert_eq!(
                policy.rate_bucket == Bucket::UNLIMITED,
                policy.access == atelier_kit::policy::Access::Internal,
                "{path}"
            );
        }
    }

    #[test]
    fn a_bucket_that_nobody_knows_stops_the_start() {
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (path, policy) = policies.iter().next().unwrap();
        let mut policy = policy.clone();
        policy.rate_bucket = "bulk".to_owned();
        let error = know_every_bucket(&Policies::new([(path.to_owned(), policy)])).unwrap_err();
        assert!(error.to_string().contains("bulk"), "{error}");
    }

    #[test]
    fn the_summary_has_a_line_for_each_bucket() {
        let text = "[image]\naccount = { per_minute = 30, burst = 5 }";
        let said = summary(&Table::read("limits.toml", text).unwrap());
        assert_eq!(said.lines().count(), 9);
        let image = said.lines().find(|line| line.starts_with("image"));
        let columns: Vec<&str> = image.unwrap().split_whitespace().collect();
        assert_eq!(columns, ["image", "30", "(5)", "2", "2"]);
        assert!(summary(&Table::unlimited()).contains("unlimited"));
    }
}
