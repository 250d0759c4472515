//! The audit log on the wire.

use atelier_kit::check::Check;
use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response};

use super::{Answer, UsersGrpc};
use crate::audit::AuditEvent;

impl From<AuditEvent> for pb::AuditEvent {
    fn from(event: AuditEvent) -> Self {
        pb::AuditEvent {
            id: event.id,
            time: Some(timestamp(event.time)),
            action: event.action,
            actor: event.actor,
            subject: event.subject,
            details: event.details.into_iter().collect(),
        }
    }
}

impl UsersGrpc {
    pub(super) async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Answer<pb::ListAuditEventsResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.bytes("subject", &request.subject, 0..=64).finish()?;
        let scope = ["audit", request.subject.as_str()];
        let before: Option<String> = self.pages.cursor(&scope, &request.page_token)?;
        let mut found = self
            .accounts
            .list_audit_events(&caller, &request.subject, before, limit + 1)
            .await?;
        let next_page_token = self
            .pages
            .cut(&scope, &mut found, limit, |last| last.id.clone());
        Ok(Response::new(pb::ListAuditEventsResponse {
            events: found.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }
}
