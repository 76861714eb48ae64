//! An outside world that does as it was told, and can say what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use hyper::HeaderMap;

use super::{Answered, Answering, Ask, Outside, Unanswered};

/// What one address does.
type Script = Box<dyn FnMut(&Ask) -> Result<Answered, Unanswered> + Send>;

/// Answers from scripts by address; every other address cannot be reached.
#[derive(Default)]
pub struct Scripted {
    scripts: Mutex<BTreeMap<String, Script>>,
    asked: Mutex<Vec<Ask>>,
}

impl Scripted {
    /// From now on that address answers so. The longest address that an asked one begins with is the one that counts.
    pub fn at(
        &self,
        address: &str,
        script: impl FnMut(&Ask) -> Result<Answered, Unanswered> + Send + 'static,
    ) {
        self.scripts.lock().expect(UNPOISONED).insert(address.to_owned(), Box::new(script));
    }

    /// From now on that address always answers with this status and body.
    pub fn always(&self, address: &str, status: u16, body: impl Into<Bytes>) {
        let body = body.into();
        self.at(address, move |ask| {
            Ok(Answered { url: ask.url.clone(), status, headers: HeaderMap::new(), body: body.clone() })
        });
    }

    /// All that was asked so far, oldest first.
    pub fn asked(&self) -> Vec<Ask> {
        self.asked.lock().expect(UNPOISONED).clone()
    }
}

impl Outside for Scripted {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        let mut scripts = self.scripts.lock().expect(UNPOISONED);
        let found = scripts.iter_mut().rev().find(|(address, _)| ask.url.starts_with(*address));
        let answer = match found {
            Some((_, script)) => script(&ask).and_then(|answer| match answer.body.len() {
                bytes if bytes > ask.bounds.bytes_max => Err(Unanswered::TooLarge),
                _ => Ok(answer),
            }),
            None => Err(Unanswered::Unreachable("nobody is there".to_owned())),
        };
        self.asked.lock().expect(UNPOISONED).push(ask);
        Box::pin(std::future::ready(answer))
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_address_answers_and_every_question_is_kept() {
        let outside = Scripted::default();
        outside.always("https://a.example/", 200, "root");
        outside.always("https://a.example/deep", 404, "deep");
        let asked = |path: &str| outside.ask(Ask::get(format!("https://a.example/{path}")));
        assert_eq!(asked("other").await.unwrap().body, "root");
        assert_eq!(asked("deep/er").await.unwrap().status, 404);
        let nobody = outside.ask(Ask::get("https://b.example/")).await.unwrap_err();
        assert!(nobody.may_pass());
        let mut small = Ask::get("https://a.example/");
        small.bounds.bytes_max = 3;
        assert_eq!(outside.ask(small).await.unwrap_err(), Unanswered::TooLarge);
        assert_eq!(outside.asked().len(), 4);
    }
}
