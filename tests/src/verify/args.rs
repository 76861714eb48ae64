//! The command line of `cargo verify`, parsed by hand: the runner must start within seconds on a cold machine.

/// What `--help` and a usage error print.
pub const USAGE: &str = "\
usage: cargo verify [--full] [--only STEP]... [--list]

  --full        also what needs more than Rust and a C compiler; any skip is a failure
  --only STEP   only this step and what it needs; may be given several times
  --list        the steps, and what each runs
  --help        this text";

/// A parsed command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// Run the steps that need more, and fail on any skip.
    pub full: bool,
    /// Print the steps instead of running them.
    pub list: bool,
    /// Print the usage.
    pub help: bool,
    /// The chosen steps; empty means all.
    pub only: Vec<String>,
}

impl Args {
    /// Parses the words after the program's name. The error is a sentence for the user.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = Args::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--full" => args.full = true,
                "--list" => args.list = true,
                "--help" | "-h" => args.help = true,
                "--only" => args.only.push(words.next().ok_or("--only needs the name of a step")?),
                other => match other.strip_prefix("--only=") {
                    Some(name) => args.only.push(name.to_owned()),
                    None => return Err(format!("unknown argument `{other}`")),
                },
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_and_steps_are_collected() {
        let args = parse("--full --only unit --only=lint --list").unwrap();
        assert_eq!(
            args,
            Args { full: true, list: true, help: false, only: vec!["unit".into(), "lint".into()] }
        );
        assert_eq!(parse("").unwrap(), Args::default());
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse("--fast").unwrap_err(), "unknown argument `--fast`");
        assert_eq!(parse("unit").unwrap_err(), "unknown argument `unit`");
        assert_eq!(parse("--only").unwrap_err(), "--only needs the name of a step");
    }
}
