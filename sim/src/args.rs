//! The command line: `cargo sim [smoke] [--seed N | --seeds A..B] [--log full]`.

use std::ops::Range;

/// What is shown after a wrong command line.
pub const USAGE: &str = "usage: cargo sim [smoke] [--seed N | --seeds A..B] [--log full]";

/// See [`Args::once`].
pub const ONCE: &str = "--once";

/// Seeds of a run that names none: two, so that it is seen that they differ.
const SEEDS: Range<u64> = 1..3;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// The seeds to run, each twice.
    pub seeds: Range<u64>,
    /// Whether every effect is printed.
    pub log: bool,
    /// What a run tells its children: do one run of the seed, and say what it came to.
    pub once: bool,
}

impl Args {
    /// Reads the arguments after the program's name. The error is a sentence for the user.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = args.into_iter().peekable();
        let mut parsed = Args { seeds: SEEDS, log: false, once: false };
        args.next_if(|first| first == "smoke");
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--seed" => {
                    let seed = number(&value()?)?;
                    parsed.seeds = seed..seed.checked_add(1).ok_or("the seed is too large")?;
                }
                "--seeds" => parsed.seeds = range(&value()?)?,
                "--log" => match value()?.as_str() {
                    "full" => parsed.log = true,
                    other => return Err(format!("there is no log called `{other}`; there is `full`")),
                },
                ONCE => parsed.once = true,
                other => return Err(format!("`{other}` is not known here")),
            }
        }
        Ok(parsed)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a seed: a whole number"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` is not a range of seeds: 1..100, without the last");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_arguments_it_is_the_smoke_run() {
        assert_eq!(parse(""), parse("smoke"));
        assert_eq!(parse("").unwrap(), Args { seeds: SEEDS, log: false, once: false });
    }

    #[test]
    fn one_seed_or_several() {
        assert_eq!(parse("smoke --seed 7").unwrap().seeds, 7..8);
        assert_eq!(parse("--seeds 3..9 --log full").unwrap(), Args { seeds: 3..9, log: true, once: false });
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in [
            "smokes",
            "--seed",
            "--seed x",
            "--seed -1",
            "--seed 18446744073709551615",
            "--seeds 5",
            "--seeds 5..5",
            "--seeds 9..3",
            "--log",
            "--log some",
            "--seed 1 smoke",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
