//! The program around the library: command line, settings, logs, threads, signals, exit codes.
//!
//! Nothing here runs in the simulator, and the library knows nothing of it.
//!
//! Reading order: [`cli`], [`settings`] with [`sources`] and [`ring`], [`operator`] with [`admin_client`], [`cluster`] with
//! [`membership`] and [`tables`], [`search`], [`serve`] with [`join`] and [`certificates`], [`edges`], [`signals`], [`logs`],
//! [`exit`].

pub mod admin_client;
pub mod certificates;
pub mod cli;
pub mod cluster;
pub mod edges;
pub mod exit;
pub mod join;
pub mod logs;
pub mod membership;
pub mod operator;
pub mod reference;
pub mod ring;
pub mod search;
pub mod serve;
pub mod settings;
pub mod signals;
pub mod sources;
pub mod tables;
