//! Connections that are cut in the middle: the reply goes on where it was, and nothing is made or said twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Desk;
use super::model::{Model, SLOW};
use super::screen::Screen;
use crate::media::png_size;
use crate::running::Launch;

/// A way to a mesh that is cut each time so many bytes came back, as often as it has cuts left.
struct Wire {
    url: String,
    cuts: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    async fn to(edge: &str, bytes: usize, cuts: usize) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let far = edge.trim_start_matches("http://").to_owned();
        let cuts = Arc::new(AtomicUsize::new(cuts));
        let left = cuts.clone();
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = socket.accept().await.unwrap();
                let Ok(far) = TcpStream::connect(&far).await else {
                    continue;
                };
                tokio::spawn(carry(near, far, bytes, left.clone()));
            }
        });
        Self { url, cuts, task }
    }

    fn left(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, limit: usize, cuts: Arc<AtomicUsize>) {
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let there = tokio::io::copy(&mut near_in, &mut far_out);
    let back = async {
        let (mut carried, mut bytes) = (0, [0; 512]);
        while let Ok(length @ 1..) = far_in.read(&mut bytes).await {
            carried += length;
            let cut = carried > limit
                && cuts
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok();
            if cut || near_out.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        () = back => {}
    }
}

#[tokio::test]
async fn a_reply_goes_on_where_it_was_cut() {
    let data = tempfile::tempdir().unwrap();
    let words: Vec<String> = (0..40).map(|word| format!("word{word}")).collect();
    let text = words.join(" ");
    let model = Model::saying(&text).await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    let wire = Wire::to(mesh.edge(), 2500, 3).await;
    let mut desk = Desk::at(&wire.url);
    desk.register().await;
    let said = desk.run(&["chat", "--model", SLOW, "hello"]).await;
    assert_eq!(said.well(), text);
    assert!(wire.left() < 3, "it was never cut");
    assert_eq!(model.asked(), 1, "it was asked for twice");

    // On a terminal too.
    let wire = Wire::to(mesh.edge(), 2500, 2).await;
    let mut desk = Desk::at(&wire.url);
    desk.register().await;
    let mut screen = Screen::open(&desk, &["chat", "--model", SLOW, "hello"]);
    assert_eq!(screen.ended().await, 0);
    assert!(wire.left() < 2, "it was never cut");
    let seen = screen.text();
    let shown: Vec<&str> = seen
        .split_whitespace()
        .filter(|word| word.starts_with("word"))
        .collect();
    assert_eq!(shown, words, "{seen}");
}

#[tokio::test]
async fn pictures_and_speech_arrive_over_a_bad_line() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let wire = Wire::to(mesh.edge(), 6_000, 2).await;
    let mut desk = Desk::at(&wire.url);
    desk.register().await;
    let args = ["image", "a boat", "--size", "512x512", "-o", "a.png"];
    assert_eq!(desk.run(&args).await.well(), "a.png\n");
    let picture = std::fs::read(desk.folder().join("a.png")).unwrap();
    assert_eq!(png_size(&picture), (512, 512));
    assert!(wire.left() < 2, "the picture was never cut");

    let text = "Good morning to you, and to everybody else in this house. ".repeat(8);
    let straight = Desk::at(mesh.edge());
    std::fs::create_dir_all(straight.credentials().parent().unwrap()).unwrap();
    let wire = Wire::to(mesh.edge(), 150_000, 2).await;
    let mut desk = Desk::at(&wire.url);
    desk.register().await;
    let said = desk.run(&["say", &text, "-o", "whole.wav"]).await;
    assert_eq!(said.well(), "whole.wav\n");
    let whole = std::fs::read(desk.folder().join("whole.wav")).unwrap();
    let wire = Wire::to(mesh.edge(), 150_000, 2).await;
    let mut desk = Desk::at(&wire.url);
    desk.register().await;
    let said = desk.run(&["say", &text, "-o", "-"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(wire.left() < 2, "the speech was never cut");
    assert_eq!(said.out.len(), whole.len());
    assert_eq!(said.out[44..], whole[44..]);
}

#[tokio::test]
async fn a_start_that_is_cut_before_its_first_word_is_joined() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying("only once").await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    // Signed in over a good line, then cut as soon as anything comes back.
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    let kept = std::fs::read_to_string(desk.credentials()).unwrap();
    let edge = mesh.edge().trim_end_matches('/');
    let (mut cut, limits) = (0, [350, 450, 550, 650, 750]);
    for limit in limits {
        let wire = Wire::to(mesh.edge(), limit, 2).await;
        std::fs::write(desk.credentials(), kept.replace(edge, &wire.url)).unwrap();
        let said = desk.run(&["chat", "hello", "--url", &wire.url]).await;
        assert_eq!(said.well(), "only once");
        cut += 2 - wire.left();
    }
    assert!(cut > limits.len(), "it was hardly ever cut: {cut}");
    assert_eq!(model.asked(), limits.len(), "it was asked for twice");
}
