//! Real programs that behave badly. Nothing here waits for time to pass: each test waits for its program.

use super::*;

fn shell(script: &str) -> Program {
    Program {
        argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        output_bytes: 4096,
        stdin: Vec::new(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(200)
}

fn late() -> Instant {
    Instant::now() + Duration::from_secs(50)
}

async fn run(script: &str, deadline: Instant) -> Ran {
    Processes::default().run(&shell(script), deadline).await
}

fn text(captured: &Captured) -> String {
    String::from_utf8_lossy(&captured.bytes).into_owned()
}

/// Whether the process whose number the program printed is gone (or waits for its parent to notice).
fn is_gone(stdout: &Captured) -> bool {
    let pid = text(stdout).trim().to_owned();
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

#[tokio::test]
async fn exit_code_and_both_outputs_come_back() {
    let ran = run("echo out; echo err >&2; exit 3", late()).await;
    assert!(matches!(ran.end, End::Exited(3)), "{:?}", ran.end);
    assert_eq!((text(&ran.stdout).as_str(), text(&ran.stderr).as_str()), ("out\n", "err\n"));
    assert!(ran.leftover.is_none());
}

#[tokio::test]
async fn a_signal_is_not_an_exit_code() {
    let ran = run("kill -SEGV $$", late()).await;
    assert!(matches!(ran.end, End::Signalled(11)), "{:?}", ran.end);
}

#[tokio::test]
async fn a_program_that_is_not_there_or_not_executable_says_so() {
    let mut program = shell("");
    program.argv = vec!["/no/such/plugin".into()];
    let ran = Processes::default().run(&program, late()).await;
    assert!(matches!(&ran.end, End::NotStarted(error) if error.kind() == io::ErrorKind::NotFound));

    program.argv = vec!["/etc/passwd".into()];
    let ran = Processes::default().run(&program, late()).await;
    assert!(matches!(&ran.end, End::NotStarted(error) if error.kind() == io::ErrorKind::PermissionDenied));

    program.argv = vec!["/bin/echo".into(), "a\0b".into()];
    let ran = Processes::default().run(&program, late()).await;
    assert!(matches!(&ran.end, End::NotStarted(error) if error.kind() == io::ErrorKind::InvalidInput));

    program.argv = vec![];
    let ran = Processes::default().run(&program, late()).await;
    assert!(matches!(&ran.end, End::NotStarted(_)));
}

#[tokio::test]
async fn the_environment_is_made_from_nothing() {
    let ran = run("env", late()).await;
    let names: Vec<String> =
        text(&ran.stdout).lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    // The shell adds its own.
    assert!(
        names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str())),
        "{names:?}"
    );
}

#[tokio::test]
async fn no_descriptor_of_ours_leaks_into_it() {
    let ours = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&ours));
    let socket = std::fs::read_link(link).unwrap();
    let ran = run("ls -l /proc/self/fd", late()).await;
    let theirs = text(&ran.stdout);
    assert!(theirs.contains("pipe:["), "{theirs}");
    assert!(!theirs.contains(socket.to_str().unwrap()), "{theirs}");
}

#[tokio::test]
async fn megabytes_of_output_are_cut_and_counted() {
    let ran = run("head -c 5000000 /dev/zero; exit 1", late()).await;
    assert!(matches!(ran.end, End::Exited(1)), "{:?}", ran.end);
    assert_eq!((ran.stdout.bytes.len(), ran.stdout.dropped), (4096, 5_000_000 - 4096));
}

#[tokio::test]
async fn nothing_and_binary_are_outputs_like_others() {
    let ran = run("true", late()).await;
    assert_eq!((ran.stdout.bytes.len(), ran.stdout.dropped), (0, 0));
    let ran = run(r"printf '\377\000\001'", late()).await;
    assert_eq!(ran.stdout.bytes, [0xff, 0, 1]);
}

#[tokio::test]
async fn at_the_deadline_the_output_so_far_comes_back_and_the_program_ends() {
    let ran = run("echo $$; exec sleep 60", soon()).await;
    assert!(matches!(ran.end, End::TimedOut), "{:?}", ran.end);
    let processes = ran.leftover.unwrap();
    processes.gone().await;
    assert!(is_gone(&ran.stdout));
}

#[tokio::test]
async fn a_program_that_ignores_the_polite_signal_is_killed() {
    let ran = run("trap '' TERM; echo $$; while :; do sleep 1; done", soon()).await;
    assert!(matches!(ran.end, End::TimedOut), "{:?}", ran.end);
    ran.leftover.unwrap().gone().await;
    assert!(is_gone(&ran.stdout));
}

#[tokio::test]
async fn children_of_children_are_killed_too() {
    let ran = run("sh -c 'echo $$; trap \"\" TERM; while :; do sleep 1; done' & wait", soon()).await;
    assert!(matches!(ran.end, End::TimedOut), "{:?}", ran.end);
    ran.leftover.unwrap().gone().await;
    assert!(is_gone(&ran.stdout));
}

#[tokio::test]
async fn a_grandchild_that_became_a_daemon_keeps_nobody_waiting() {
    // It holds the pipe open, and it left the group, so it lives on; the test ends it.
    let ran = run("setsid sh -c 'echo $$; exec sleep 60' & sleep 0.1; exit 2", late()).await;
    assert!(matches!(ran.end, End::Exited(2)), "{:?}", ran.end);
    assert!(!is_gone(&ran.stdout));
    let pid = text(&ran.stdout).trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn whoever_stops_waiting_kills_the_program() {
    let processes = Processes::default();
    let path = tempfile::tempdir().unwrap();
    let pid_file = path.path().join("pid");
    let program = shell(&format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60", pid_file.display()));
    let running = processes.run(&program, late());
    let seen = async {
        while !pid_file.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = running => panic!("it should still run"),
        () = seen => {}
    }
    let pid = std::fs::read(&pid_file).unwrap();
    let stdout = Captured { bytes: pid, dropped: 0 };
    while !is_gone(&stdout) {
        tokio::task::yield_now().await;
    }
    assert_eq!(processes.running(), 0);
}

/// In real time, since the processes are real; the bound is a quarter of the grace that was waited for before.
#[tokio::test]
async fn a_program_that_follows_the_request_to_end_is_gone_before_the_grace_is_over() {
    let ran = run("echo $$; sleep 60; true", soon()).await;
    let leftover = ran.leftover.unwrap();
    let is_late = timeout(Duration::from_secs(1), leftover.gone()).await.is_err();
    assert!(!is_late && is_gone(&ran.stdout));
}

#[tokio::test]
async fn closing_waits_for_what_is_being_killed_and_does_not_wait_politely() {
    let processes = Processes::default();
    let ran = processes.run(&shell("trap '' TERM; echo $$; while :; do sleep 1; done"), soon()).await;
    assert_eq!(processes.killing(), 1);
    processes.close().await;
    assert_eq!(processes.killing(), 0);
    assert!(is_gone(&ran.stdout));
}
