//! The page of claims is what the claim does.

#[path = "../examples/claim.rs"]
mod page;

#[test]
fn the_page_in_the_book_is_what_the_claim_makes() {
    let book = include_str!("../../docs/reference/claim.md");
    for (line, (book, now)) in (1..).zip(book.lines().zip(page::page().lines())) {
        assert_eq!(book, now, "line {line}; `cargo run -p gomer-core --example claim` prints the page anew");
    }
    assert_eq!(book, page::page());
}
