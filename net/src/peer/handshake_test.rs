use gomer_core::id::Id;

use super::super::identity::Superseded;
use super::*;

fn member(byte: u8) -> MemberId {
    MemberId(Id::from_bytes([byte; 16]))
}

fn hello(from: u8, to: u8) -> Hello {
    Hello {
        versions: Versions { least: 2, most: 4 },
        cluster: ClusterId(Id::from_bytes([1; 16])),
        member: member(from),
        to: member(to),
        disk: Disk { incarnation: Id::from_bytes([from; 16]), tide: 10 },
        features: vec!["later".to_owned()],
    }
}

/// What member 1 says to what member 2 shows, after a change to it.
fn said(change: impl FnOnce(&mut Hello), admit: &Admit) -> String {
    let mut theirs = hello(2, 1);
    change(&mut theirs);
    match judge_hello(&hello(1, 2), theirs, |member| member.0.as_bytes()[0] <= 2, admit) {
        Ok(agreed) => format!("version {}", agreed.version),
        Err(HandshakeFault::Refuse(refusal)) => format!("{refusal:?}"),
        Err(fault) => format!("stranger: {fault:?}"),
    }
}

#[test]
fn two_members_agree_on_the_newest_version_that_both_speak() {
    for (least, most, expected) in
        [(2, 4, "version 4"), (1, 2, "version 2"), (4, 9, "version 4"), (3, 3, "version 3")]
    {
        let said = said(|theirs| theirs.versions = Versions { least, most }, &|_, _| Ok(()));
        assert_eq!(said, expected, "{least} to {most}");
    }
    for (least, most) in [(0, 1), (5, 9), (4, 2)] {
        let said = said(|theirs| theirs.versions = Versions { least, most }, &|_, _| Ok(()));
        let refused = least > most || said.starts_with("Version");
        assert!(refused, "{least} to {most}: {said}");
    }
}

#[test]
fn what_makes_a_stranger_is_judged_before_anything_that_is_answered() {
    let other = ClusterId(Id::from_bytes([9; 16]));
    let never: &Admit = &|_, _| Err(Superseded);
    for change in [
        Box::new(|theirs: &mut Hello| theirs.cluster = other) as Box<dyn FnOnce(&mut Hello)>,
        Box::new(|theirs| theirs.member = member(3)),
        // Ourselves, echoed.
        Box::new(|theirs| theirs.member = member(1)),
        Box::new(|theirs| theirs.features = vec![String::new()]),
        Box::new(|theirs| theirs.features = vec!["x".repeat(FEATURE_BYTES_MAX + 1)]),
        Box::new(|theirs| theirs.features = vec!["x".to_owned(); FEATURES_MAX + 1]),
    ] {
        let said = said(
            |theirs| {
                theirs.versions = Versions { least: 9, most: 9 };
                change(theirs);
            },
            never,
        );
        assert!(said.starts_with("stranger"), "{said}");
    }
}

#[test]
fn a_superseded_disk_is_refused() {
    let admit: &Admit =
        &|peer, disk| if peer == member(2) && disk.tide < 10 { Err(Superseded) } else { Ok(()) };
    assert_eq!(said(|_| {}, admit), "version 4");
    assert_eq!(said(|theirs| theirs.disk.tide = 9, admit), "Superseded");
}

#[test]
fn who_means_another_member_is_told_who_this_is() {
    assert_eq!(said(|theirs| theirs.to = member(8), &|_, _| Ok(())), format!("NotMe({:?})", member(1)));
}

#[test]
fn the_dialling_side_takes_nobody_but_whom_it_dialled() {
    let everybody: &Admit = &|_, _| Ok(());
    let ours = hello(1, 2);
    assert!(judge_welcome(&ours, hello(2, 1), |_| true, everybody).is_ok());
    for (theirs, proven) in [(hello(3, 1), true), (hello(2, 1), false)] {
        let judged = judge_welcome(&ours, theirs, |_| proven, everybody);
        assert!(matches!(judged, Err(HandshakeFault::OtherMember(_))));
    }
    let superseded = judge_welcome(&ours, hello(2, 1), |_| true, &|_, _| Err(Superseded));
    assert!(matches!(superseded, Err(HandshakeFault::Refuse(Refusal::Superseded))));
}
