//! The faults, how each comes and how it goes again.

use super::alone::Alone;
use super::stage::{Engine, Mesh};
use super::things::all_answers;
use crate::people::Person;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process of this role is killed, and started again.
    Killed(&'static str),
    /// A process of this role is told to go, and started again.
    Left(&'static str),
    /// A process of this role begins again with a clock that is two minutes ahead, and works like that for a while.
    Skewed(&'static str),
    /// A process of llm-chat is killed or told to go while fifty streams are open.
    Streaming(Removal),
    /// An engine is killed, and started again.
    EngineKilled(Engine),
    /// An engine accepts and never answers, and then goes on.
    EngineFrozen(Engine),
    /// The object store's disk has no room.
    StoreFull,
    /// The disk with the SQLite files of a mesh in one process has no room.
    FilesFull,
}

/// How a process is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
}

/// The role that has streams which go on for long.
const CHAT: &str = "llm-chat";

/// Where a fault comes.
pub struct Scene<'a> {
    /// The mesh of many processes.
    pub mesh: &'a mut Mesh,
    /// The mesh in one process, where the fault comes to it.
    pub alone: Option<Alone>,
    /// Which of two copies of a role is meant.
    pub copy: usize,
}

impl Fault {
    /// All there are, of kinds that are alike.
    pub fn kinds() -> Vec<Vec<Self>> {
        let roles = [
            "users",
            "llm-chat",
            "text-image",
            "tts",
            "analytics",
            "edge",
        ];
        let mut processes: Vec<Self> = roles.map(Self::Killed).into();
        processes.push(Self::Left(CHAT));
        processes.extend(["users", CHAT].map(Self::Skewed));
        vec![
            vec![Self::FilesFull, Self::StoreFull],
            [Removal::Kill, Removal::Term].map(Self::Streaming).into(),
            Engine::ALL.map(Self::EngineKilled).into(),
            Engine::ALL.map(Self::EngineFrozen).into(),
            processes,
        ]
    }

    /// As the table has it.
    pub fn name(self) -> String {
        match self {
            Self::Killed(role) => format!("one of two {role} processes killed (SIGKILL)"),
            Self::Left(role) => format!("one of two {role} processes told to go (SIGTERM)"),
            Self::Skewed(role) => format!("one of two {role} processes two minutes ahead"),
            Self::Streaming(Removal::Kill) => {
                format!("one of two {CHAT} processes killed (SIGKILL) while streams are open")
            }
            Self::Streaming(Removal::Term) => {
                format!("one of two {CHAT} processes told to go (SIGTERM) while streams are open")
            }
            Self::EngineKilled(engine) => format!("{} killed (SIGKILL)", engine.name()),
            Self::EngineFrozen(engine) => {
                format!("{} accepts and never answers (SIGSTOP)", engine.name())
            }
            Self::StoreFull => "the disk of S3 full".to_owned(),
            Self::FilesFull => "the disk of SQLite full (a mesh in one process)".to_owned(),
        }
    }

    /// Whether what is left answers whoever calls, so that the time of recovery is counted from the fault itself. Who calls an
    /// edge that is killed has to wait for its return, or call the other one.
    pub fn leaves_others(self) -> bool {
        match self {
            Self::Killed(role) => role != "edge",
            Self::Left(_) | Self::Skewed(_) | Self::Streaming(_) => true,
            _ => false,
        }
    }

    /// Lets it come.
    pub async fn come(self, scene: &mut Scene<'_>) {
        let (mesh, copy) = (&mut *scene.mesh, scene.copy);
        match self {
            Self::Killed(role) => mesh.kill(role, copy).await,
            Self::Left(role) => mesh.tell_to_go(role, copy),
            Self::Skewed(role) => {
                mesh.kill(role, copy).await;
                mesh.begin_skewed(role, copy).await;
            }
            Self::Streaming(Removal::Kill) => mesh.kill(CHAT, copy).await,
            Self::Streaming(Removal::Term) => mesh.tell_to_go(CHAT, copy),
            Self::EngineKilled(engine) => mesh.engines.server(engine).kill(),
            Self::EngineFrozen(engine) => mesh.engines.server(engine).freeze(),
            Self::StoreFull => mesh.engines.disk().fill(),
            Self::FilesFull => scene
                .alone
                .as_mut()
                .expect("a mesh in one process")
                .disk
                .fill(),
        }
    }

    /// Lets it go.
    pub async fn go(self, scene: &mut Scene<'_>) {
        let (mesh, copy) = (&mut *scene.mesh, scene.copy);
        match self {
            Self::Killed(role) => mesh.begin(role, copy).await,
            Self::Left(role) => {
                mesh.gone(role, copy).await;
                mesh.begin(role, copy).await;
            }
            Self::Skewed(role) => {
                // All of it works like that.
                let person = Person::register(&mesh.edges[0]).await;
                let all = all_answers(&mesh.edges, &person).await;
                all.expect("all answers");
                mesh.kill(role, copy).await;
                mesh.begin(role, copy).await;
            }
            Self::Streaming(removal) => {
                if removal == Removal::Term {
                    mesh.gone(CHAT, copy).await;
                }
                mesh.begin(CHAT, copy).await;
            }
            Self::EngineKilled(engine) => {
                mesh.engines.server(engine).begin();
                mesh.engines.answers(engine);
            }
            Self::EngineFrozen(engine) => mesh.engines.server(engine).thaw(),
            Self::StoreFull => mesh.engines.disk().free(),
            Self::FilesFull => scene
                .alone
                .as_mut()
                .expect("a mesh in one process")
                .disk
                .free(),
        }
    }

    /// Whether it needs a disk under the object store.
    pub fn fills_the_store(self) -> bool {
        self == Self::StoreFull
    }
}
