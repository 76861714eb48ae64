//! A whole cluster in one deterministic process: the members' own code, `net` and `server` included, on a
//! simulated network, clock and disk, from one seed. Run it as `cargo sim`.
//!
//! Reading order: [`plan`] (what a run does, drawn before it begins), [`world`] (its two phases), [`nemesis`] (who
//! hurts it), [`checks`] (what must hold), [`member`], [`people`], [`phone`], [`caller`] (who takes part), [`disk`],
//! [`clock`], [`net`] (what they stand on), [`witness`], [`trace`], [`marks`], [`verdict`], [`page`] (what was seen),
//! [`mutants`] (what is wrong on purpose), [`run`], [`soak`], [`meta`], [`shrink`], [`mutate`] (the commands).
//!
//! Must never learn: how a method works. Who takes part sees what a client sees.

#[cfg(not(madsim))]
const _: () =
    assert!(option_env!("GOMER_SIM").is_none(), "RUSTFLAGS in the environment hides --cfg madsim: unset it");

// What needs no simulator is tested without one.
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod args;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod chance;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod disk;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod marks;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod mutants;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod page;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod plan;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod trace;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod verdict;

#[cfg(madsim)]
mod caller;
#[cfg(madsim)]
mod checks;
#[cfg(madsim)]
mod clock;
#[cfg(madsim)]
mod member;
#[cfg(madsim)]
mod meta;
#[cfg(madsim)]
mod mutate;
#[cfg(madsim)]
mod nemesis;
#[cfg(madsim)]
mod net;
#[cfg(madsim)]
mod people;
#[cfg(madsim)]
mod phone;
#[cfg(madsim)]
mod run;
#[cfg(madsim)]
mod shrink;
#[cfg(madsim)]
mod soak;
#[cfg(madsim)]
mod witness;
#[cfg(madsim)]
mod world;

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    eprintln!("this was built without its simulator: run it as `cargo sim`");
    std::process::ExitCode::from(2)
}
