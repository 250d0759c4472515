//! The other services as the users service meets them: they tell and erase as their test wants it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use atelier_kit::call::Call;
use atelier_kit::identity::Caller;
use atelier_kit::link::Route;
use atelier_kit::policy::Policies;
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, mount_route};
use atelier_proto::generation::v1::Standing;
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::privacy::v1::{ErasureReceipt, ExportFile, ExportPiece, ExportReceipt};
use atelier_proto::tts::v1 as wire;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use tokio_util::sync::DropGuard;
use tonic::{Code, Request, Response, Status};

/// The roles that keep something of accounts.
pub const ROLES: [&str; 4] = ["analytics", "llm-chat", "text-image", "tts"];

/// What a role does, and what it was asked.
#[derive(Default)]
pub struct Notes {
    /// Roles that answer this.
    pub failing: HashMap<&'static str, Code>,
    /// Roles that end their export in the middle, as if all were told.
    pub forgetful: Vec<&'static str>,
    /// Who was asked to erase whom, in order.
    pub asked: Vec<(&'static str, String)>,
    /// How generations stand; none is known that is not here.
    pub standings: HashMap<String, Standing>,
    /// Who was asked how which generation stands, in order.
    pub inspected: Vec<(&'static str, String)>,
}

/// All of them.
pub struct Peers {
    pub notes: Arc<Mutex<Notes>>,
    pub routes: BTreeMap<String, Route>,
    _guards: Vec<DropGuard>,
}

impl Peers {
    pub fn start() -> Self {
        let notes = Arc::<Mutex<Notes>>::default();
        let (mut routes, mut guards) = (BTreeMap::new(), Vec::new());
        let issuer = Issuer::new();
        for role in ROLES {
            let service = Service {
                grpc: router(role, notes.clone()),
                ..Service::new(tonic::service::Routes::default())
            };
            let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
            let (route, guard) = mount_route(service, role, policies, &issuer);
            routes.insert(role.to_owned(), route);
            guards.push(guard);
        }
        Self {
            notes,
            routes,
            _guards: guards,
        }
    }

    pub fn fail(&self, role: &'static str, code: Option<Code>) {
        let mut notes = self.notes.lock().unwrap();
        match code {
            Some(code) => notes.failing.insert(role, code),
            None => notes.failing.remove(role),
        };
    }

    /// How often each role was asked to erase an account.
    pub fn asked(&self, user_id: &str) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (role, _) in self
            .notes
            .lock()
            .unwrap()
            .asked
            .iter()
            .filter(|(_, id)| id == user_id)
        {
            *counts.entry(*role).or_default() += 1;
        }
        counts
    }
}

/// The methods of a role. All services have the same messages under other names, so those of one do for all.
fn router(role: &'static str, notes: Arc<Mutex<Notes>>) -> axum::Router {
    let handle = move |request: axum::extract::Request| {
        let notes = notes.clone();
        async move {
            let erases = request.uri().path().ends_with("/ErasePersonalData");
            let inspects = request.uri().path().ends_with("/InspectGeneration");
            let call = request.extensions().get::<Call>().unwrap();
            let is_users = matches!(&call.caller, Caller::Service(caller) if &**caller == "users");
            assert!(is_users, "asked by {:?}", call.caller);
            let desk = Desk { role, notes };
            let request = request.map(tonic::body::Body::new);
            let response = if inspects {
                let mut grpc = tonic::server::Grpc::new(tonic_prost::ProstCodec::default());
                grpc.unary(Inspect(desk), request).await
            } else if erases {
                let mut grpc = tonic::server::Grpc::new(tonic_prost::ProstCodec::default());
                grpc.unary(Erase(desk), request).await
            } else {
                let mut grpc = tonic::server::Grpc::new(tonic_prost::ProstCodec::default());
                grpc.server_streaming(Export(desk), request).await
            };
            response.map(axum::body::Body::new)
        }
    };
    axum::Router::new().fallback(handle)
}

struct Desk {
    role: &'static str,
    notes: Arc<Mutex<Notes>>,
}

impl Desk {
    fn refusal(&self) -> Result<(), Status> {
        match self.notes.lock().unwrap().failing.get(self.role) {
            Some(code) => Err(Status::new(*code, "as the test wants it")),
            None => Ok(()),
        }
    }
}

struct Erase(Desk);

impl tonic::server::UnaryService<wire::ErasePersonalDataRequest> for Erase {
    type Response = wire::ErasePersonalDataResponse;
    type Future = std::future::Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<wire::ErasePersonalDataRequest>) -> Self::Future {
        let Desk { role, notes } = &self.0;
        let user_id = request.into_inner().user_id;
        let count = {
            let mut notes = notes.lock().unwrap();
            notes.asked.push((role, user_id.clone()));
            notes
                .asked
                .iter()
                .filter(|asked| **asked == (*role, user_id.clone()))
                .count()
        };
        let receipt = ErasureReceipt {
            service: (*role).to_owned(),
            // Tells which time it was.
            erased: HashMap::from([("things".to_owned(), count as u64)]),
            ..Default::default()
        };
        let answer = wire::ErasePersonalDataResponse {
            receipt: Some(receipt),
        };
        std::future::ready(self.0.refusal().map(|()| Response::new(answer)))
    }
}

struct Inspect(Desk);

impl tonic::server::UnaryService<wire::InspectGenerationRequest> for Inspect {
    type Response = wire::InspectGenerationResponse;
    type Future = std::future::Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<wire::InspectGenerationRequest>) -> Self::Future {
        let Desk { role, notes } = &self.0;
        let id = request.into_inner().generation_id;
        let standing = {
            let mut notes = notes.lock().unwrap();
            notes.inspected.push((role, id.clone()));
            notes.standings.get(&id).cloned().unwrap_or_default()
        };
        let answer = wire::InspectGenerationResponse {
            standing: Some(standing),
        };
        std::future::ready(self.0.refusal().map(|()| Response::new(answer)))
    }
}

struct Export(Desk);

impl tonic::server::ServerStreamingService<wire::ExportPersonalDataRequest> for Export {
    type Response = wire::ExportPersonalDataResponse;
    type ResponseStream = BoxStream<'static, Result<Self::Response, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<wire::ExportPersonalDataRequest>) -> Self::Future {
        let role = self.0.role;
        let text = format!("what {role} keeps of {}", request.into_inner().user_id);
        let mut pieces = vec![
            Ok(Piece::File(ExportFile {
                path: "kept.txt".to_owned(),
                content_type: "text/plain".to_owned(),
            })),
            Ok(Piece::Data(Bytes::from(text.clone()))),
            Ok(Piece::Receipt(ExportReceipt {
                service: role.to_owned(),
                files: 1,
                bytes: text.len() as u64,
                time: None,
            })),
        ];
        if self.0.notes.lock().unwrap().forgetful.contains(&role) {
            pieces.pop();
        }
        // It fails in the middle, and not at once.
        if let Err(status) = self.0.refusal() {
            pieces.pop();
            pieces.push(Err(status));
        }
        let answers = pieces.into_iter().map(|piece| {
            piece.map(|piece| wire::ExportPersonalDataResponse {
                piece: Some(ExportPiece { piece: Some(piece) }),
            })
        });
        let answers: Self::ResponseStream = Box::pin(stream::iter(answers.collect::<Vec<_>>()));
        std::future::ready(Ok(Response::new(answers)))
    }
}
