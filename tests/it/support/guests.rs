//! Ports that note, in one order, by whom they were visited: whether something pauses is read from the order, not
//! from a clock.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::watch;

#[derive(Clone)]
pub struct Guests {
    book: Arc<Mutex<String>>,
    news: watch::Sender<()>,
}

impl Default for Guests {
    fn default() -> Self {
        Self { book: Arc::default(), news: watch::channel(()).0 }
    }
}

impl Guests {
    /// Opens a port whose visits are noted under this letter.
    pub fn invite(&self, letter: char) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let guests = self.clone();
        thread::spawn(move || {
            for _ in listener.incoming() {
                guests.book.lock().expect("no panic").push(letter);
                guests.news.send_replace(());
            }
        });
        port
    }

    /// All visits so far, a letter each.
    pub fn seen(&self) -> String {
        self.book.lock().expect("no panic").clone()
    }

    /// Waits until each of these letters has visited so many times more.
    pub async fn wait_for(&self, letters: &str, more: usize) {
        let count = |letter: char| self.seen().chars().filter(|seen| *seen == letter).count();
        let wanted: Vec<(char, usize)> =
            letters.chars().map(|letter| (letter, count(letter) + more)).collect();
        let mut news = self.news.subscribe();
        let have_come = |_: &()| wanted.iter().all(|(letter, wanted)| count(*letter) >= *wanted);
        news.wait_for(have_come).await.expect("the book is open");
    }
}
