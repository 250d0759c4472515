//! The same story on a mesh in earnest: two processes of each role, on engines that others wrote.

use super::live;
use crate::faults::stage::Mesh;
use crate::running::alone;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_twelve_processes_on_real_engines() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let mesh = Mesh::start(folder.path()).await;
    // The other edge has the same people, and what they have made.
    let other = &mesh.edges[1];
    live(&mesh.edges[0], async |ada, conversation, _| {
        let ada = ada.login(other).await;
        assert!(!ada.messages(conversation).await.is_empty());
    })
    .await;
}
