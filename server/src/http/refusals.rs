//! What is said when the front refuses a request by itself: before a method, an app or a caller is known, so to any
//! request at all. The OpenAPI document lists these answers for every method.

use gomer_net::http::Refusal;

use crate::problem::{Code, Problem};

/// The problem of a refusal.
pub fn problem(refusal: Refusal) -> Problem {
    let with =
        |code: Code, status: u16, detail: &str| Problem { status, ..Problem::new(code).detail(detail) };
    match refusal {
        Refusal::HeadTooLarge => with(Code::TooLarge, 431, "The request's headers exceed 16 KiB."),
        Refusal::TooManyHeaders => with(Code::TooLarge, 431, "The request has more than 64 headers."),
        Refusal::UriTooLong => {
            with(Code::TooLarge, 414, "The address is too long: send the arguments by POST.")
        }
        Refusal::BadRequest(reason) => Problem::new(Code::BadRequest).detail(reason),
        Refusal::BodyTooLarge { limit } => {
            Problem::new(Code::TooLarge).detail(format!("A body of this call has at most {limit} bytes."))
        }
        Refusal::BodyTooSlow => with(Code::BadRequest, 408, "The body came too slowly; nothing was done."),
        Refusal::BodyIncomplete => Problem::new(Code::BadRequest).detail("The body ended before its length."),
        Refusal::ContentEncoding => Problem::new(Code::UnsupportedMediaType),
        Refusal::Busy => Problem::new(Code::Busy).retry_after(1),
        Refusal::Draining => Problem::new(Code::Unavailable)
            .detail("This server is shutting down; nothing was done.")
            .retry_after(1),
        Refusal::Panicked => Problem::new(Code::Internal),
    }
}

/// Every answer of the front: its status and code.
pub fn answers() -> impl Iterator<Item = (u16, Code)> {
    every().into_iter().map(|refusal| {
        let problem = problem(refusal);
        (problem.status, problem.code)
    })
}

/// One of each kind.
fn every() -> Vec<Refusal> {
    let mut all = vec![Refusal::HeadTooLarge];
    // A kind that the match does not know does not compile; so none is left out.
    while let Some(next) = match all.last().expect("the first stands there") {
        Refusal::HeadTooLarge => Some(Refusal::TooManyHeaders),
        Refusal::TooManyHeaders => Some(Refusal::UriTooLong),
        Refusal::UriTooLong => Some(Refusal::BadRequest("")),
        Refusal::BadRequest(_) => Some(Refusal::BodyTooLarge { limit: 0 }),
        Refusal::BodyTooLarge { .. } => Some(Refusal::BodyTooSlow),
        Refusal::BodyTooSlow => Some(Refusal::BodyIncomplete),
        Refusal::BodyIncomplete => Some(Refusal::ContentEncoding),
        Refusal::ContentEncoding => Some(Refusal::Busy),
        Refusal::Busy => Some(Refusal::Draining),
        Refusal::Draining => Some(Refusal::Panicked),
        Refusal::Panicked => None,
    } {
        all.push(next);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_has_these_answers_and_no_other() {
        let mut answers: Vec<_> = answers().map(|(status, code)| format!("{status} {code}")).collect();
        answers.sort();
        answers.dedup();
        assert_eq!(
            answers,
            [
                "400 bad-request",
                "408 bad-request",
                "413 too-large",
                "414 too-large",
                "415 unsupported-media-type",
                "431 too-large",
                "500 internal",
                "503 busy",
                "503 unavailable",
            ]
        );
    }
}
