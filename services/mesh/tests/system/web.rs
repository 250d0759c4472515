//! Plain HTTP, as a browser without a token would ask: signed URLs, and the doors of the operator.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, StatusCode};

/// What came back.
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Page {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks for a URL; `None` when nobody answers.
pub async fn try_get(url: &str, header: Option<(&'static str, &str)>) -> Option<Page> {
    // The same crypto library as the program's; somebody may have chosen it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client");
    let mut request = client.get(url);
    if let Some((name, value)) = header {
        request = request.header(HeaderName::from_static(name), value);
    }
    let response = request.send().await.ok()?;
    Some(Page {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.ok()?.to_vec(),
    })
}

/// Asks for a URL.
pub async fn get(url: &str) -> Page {
    let page = try_get(url, None).await;
    page.unwrap_or_else(|| panic!("nobody answers at {url}"))
}
