use gomer_core::store::suite::batch;
use gomer_core::store::{GroupId, LogStore};

use super::*;

const NEW: Format = Format { shards: 2, incarnation: [7; 16] };
const CACHE_BYTES: usize = 1 << 20;

fn open(path: &Path) -> Result<DataDir, DirFault> {
    DataDir::open(path, NEW)
}

/// Every file below a directory, with its content.
fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(content(&path)),
            false => all.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn a_new_directory_is_private_complete_and_keeps_what_it_was_made_with() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a/b");
    let dir = open(&path).unwrap();
    assert!(dir.is_new());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    drop(dir);
    let again = DataDir::open(&path, Format { shards: 9, incarnation: [8; 16] }).unwrap();
    assert!(!again.is_new());
    assert_eq!(again.format(), &NEW, "the shards and the incarnation of a store never change");
    assert!(again.space().unwrap().free > 0);
}

#[test]
fn a_fresh_store_is_small_and_comes_back() {
    let temp = tempfile::tempdir().unwrap();
    let dir = open(temp.path()).unwrap();
    for _ in 0..2 {
        for shard in 0..2 {
            let (mut log, _) = dir.open_shard(shard, LogSettings::default(), CACHE_BYTES).unwrap();
            if log.bounds(GroupId(0)).unwrap().is_none() {
                log.append(&batch(GroupId(0), 1, 3, 1), true).unwrap();
            }
            assert_eq!(log.bounds(GroupId(0)), Ok(Some((1, 2))));
        }
        dir.open_meta(LogSettings::default(), CACHE_BYTES).unwrap();
    }
    let log_bytes: u64 = content(&temp.path().join("shard-0/log")).iter().map(|it| it.1.len() as u64).sum();
    assert!(log_bytes < 1 << 20, "{log_bytes}");
    // Whoever made the directory may have let others look into it.
    for (file, _) in content(temp.path()).into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn a_directory_in_use_is_refused_with_the_process_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = open(temp.path()).unwrap();
    let fault = open(temp.path()).unwrap_err();
    assert_eq!(fault, DirFault::Locked { path: temp.path().into(), pid: Some(std::process::id()) });
    assert!(fault.to_string().contains(&format!("process {}", std::process::id())), "{fault}");
    drop(dir);
    open(temp.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("FORMAT"), "gomer-store 2\nnobody knows\n").unwrap();
    let before = content(temp.path());
    let fault = open(temp.path()).unwrap_err();
    assert_eq!(fault, DirFault::NewerFormat { path: temp.path().into(), found: 2 });
    assert_eq!(content(temp.path()), before);
}

#[test]
fn a_garbled_format_is_refused_whichever_byte_it_is() {
    let temp = tempfile::tempdir().unwrap();
    drop(open(temp.path()).unwrap());
    let path = temp.path().join("FORMAT");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() - 1 {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let fault = open(temp.path()).unwrap_err();
        let is_refused = matches!(fault, DirFault::Damaged { .. } | DirFault::NewerFormat { .. });
        assert!(is_refused, "byte {at}: {fault:?}");
    }
    fs::write(&path, "").unwrap();
    assert!(open(temp.path()).unwrap_err().to_string().contains("damaged"));
    fs::write(&path, good).unwrap();
    open(temp.path()).unwrap();
}

#[test]
fn a_first_start_that_was_interrupted_is_finished_by_the_next() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join("shard-0")).unwrap();
    fs::write(temp.path().join("LOCK"), "1\n").unwrap();
    fs::write(temp.path().join("FORMAT.new"), "gomer-st").unwrap();
    assert!(open(temp.path()).unwrap().is_new());
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("thesis.txt"), "years of work").unwrap();
    let fault = open(temp.path()).unwrap_err();
    assert_eq!(fault, DirFault::Foreign { path: temp.path().into(), found: "thesis.txt".into() });
    assert_eq!(content(temp.path()).len(), 1);
    let file = temp.path().join("thesis.txt");
    assert!(matches!(open(&file), Err(DirFault::Io { .. })), "a file is no directory");
}

#[test]
fn missing_parts_are_damage_and_not_a_new_store() {
    let gone = ["FORMAT", "shard-1", "meta", "shard-0/log", "shard-0/state.redb"];
    for name in gone {
        let temp = tempfile::tempdir().unwrap();
        let dir = open(temp.path()).unwrap();
        drop(dir.open_shard(0, LogSettings::default(), CACHE_BYTES).unwrap());
        drop(dir);
        let path = temp.path().join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        };
        let opened = open(temp.path())
            .and_then(|dir| dir.open_shard(0, LogSettings::default(), CACHE_BYTES).map(drop));
        assert!(matches!(opened, Err(DirFault::Damaged { .. })), "{name}: {opened:?}");
    }
}
