"""The action run_script, with real processes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from aie.actions import ActionContext, Effect
from aie.builtin import scripts
from aie.builtin.scripts import RUN_SCRIPT, RunScriptParameters
from aie.builtin.settings import CoreSettings
from aie.errors import ActionError, UncertainError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are a matter of POSIX systems")


def context(vault: Path, *, timeout_s: float = 20.0, **tables: object) -> ActionContext:
    return ActionContext(
        run_id="run_1",
        step_id="action_0",
        workflow_id="nightly",
        workflow_name="Nightly",
        event={},
        attempt=1,
        idempotency_key="run_1/action_0",
        now=datetime(2026, 2, 9, 17, 30, tzinfo=UTC),
        timeout_s=timeout_s,
        timezone=ZoneInfo("Europe/Berlin"),
        vault=vault,
        settings=CoreSettings.model_validate({"scripts": tables}),
        log=logging.getLogger("test.scripts"),
    )


def write(path: Path, text: str, *, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def run(ctx: ActionContext, script: str, **more: object) -> dict:
    return asyncio.run(RUN_SCRIPT.run(RunScriptParameters(script=script, **more), ctx))


def refused(ctx: ActionContext, script: str, **more: object) -> dict[str, str]:
    with pytest.raises(ActionError) as caught:
        run(ctx, script, **more)
    assert not isinstance(caught.value, UncertainError)
    return caught.value.as_dict()


def gone(pid: int) -> bool:
    """Whether no such process runs; one that ended and was not yet collected by the system counts as gone."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


# --- what runs, and how -----------------------------------------------------------------------------------------------


def test_a_listed_script_runs_and_its_result_says_how_it_went(tmp_path):
    write(tmp_path / "scripts/hello.sh", "echo out; echo err >&2")
    result = run(context(tmp_path, hello={"path": "scripts/hello.sh"}), "hello")
    assert result.pop("duration_ms") >= 0
    assert result == {"status": "success", "exit_code": 0, "stdout": "out\n", "stderr": "err\n", "truncated": False}


def test_a_script_is_named_by_its_name_in_aie_toml_or_its_file_name(tmp_path):
    write(tmp_path / "scripts/hello.sh", "echo hi")
    ctx = context(tmp_path, greeting={"path": "scripts/hello.sh"})
    assert [run(ctx, name)["stdout"] for name in ("greeting", "hello.sh")] == ["hi\n", "hi\n"]


def test_a_python_script_runs_with_the_python_aie_runs_with(tmp_path):
    path = write(tmp_path / "elsewhere/tool.py", "import sys; print(sys.executable, sys.argv[1:])")
    ctx = context(tmp_path, tool={"path": str(path), "arguments": True})
    assert run(ctx, "tool", arguments=["$(id)", "; rm -rf /", "*"])["stdout"] == (
        f"{sys.executable} ['$(id)', '; rm -rf /', '*']\n"
    )


def test_an_executable_script_is_run_by_what_its_first_line_says(tmp_path):
    write(tmp_path / "tool.py", "#!/bin/sh\necho shell", mode=0o755)
    assert run(context(tmp_path, tool={"path": "tool.py"}), "tool")["stdout"] == "shell\n"


def test_it_gets_the_vault_no_input_and_hardly_any_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GMAIL_PASSWORD", "hunter2")
    write(tmp_path / "show.py", "import os, sys; print(sorted(os.environ), os.getcwd(), repr(sys.stdin.read()))")
    names = ["AIE_IDEMPOTENCY_KEY", "AIE_RUN_ID", "AIE_STEP_ID", "HOME", "LANG", "PATH"]
    said = run(context(tmp_path, show={"path": "show.py"}), "show")["stdout"].replace("'LC_CTYPE', ", "")
    assert said == f"{names} {tmp_path.resolve()} ''\n"


def test_it_is_told_which_step_it_is(tmp_path):
    write(tmp_path / "show.sh", 'echo "$AIE_RUN_ID $AIE_STEP_ID $AIE_IDEMPOTENCY_KEY"')
    assert run(context(tmp_path, show={"path": "show.sh"}), "show")["stdout"] == "run_1 action_0 run_1/action_0\n"


def test_what_runs_is_a_private_copy_that_is_gone_afterwards(tmp_path):
    write(tmp_path / "where.sh", 'echo "$0"; stat -c %a "$(dirname "$0")" 2>/dev/null || stat -f %Lp "$(dirname "$0")"')
    copy, mode = run(context(tmp_path, where={"path": "where.sh"}), "where")["stdout"].split()
    assert (Path(copy).name, mode) == ("where.sh", "700")
    assert Path(copy) != tmp_path / "where.sh"
    assert not Path(copy).parent.exists()


def test_a_script_swapped_after_the_check_does_not_run(tmp_path, monkeypatch):
    path = write(tmp_path / "tool.sh", "echo checked")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    real = scripts.run_process

    async def swapped(command, **more):
        path.write_text("echo swapped")
        return await real(command, **more)

    monkeypatch.setattr(scripts, "run_process", swapped)
    ctx = context(tmp_path, tool={"path": "tool.sh", "sha256": digest})
    assert run(ctx, "tool")["stdout"] == "checked\n"


def test_a_lot_of_output_is_cut_and_does_not_block_the_script(tmp_path):
    write(tmp_path / "much.py", "import sys; sys.stdout.write('x' * 3_000_000); sys.stderr.write('end'); sys.exit(0)")
    result = run(context(tmp_path, much={"path": "much.py"}), "much")
    assert (result["stdout"], result["stderr"], result["truncated"]) == ("x" * 65_536, "end", True)


def test_output_that_is_not_text_is_made_text(tmp_path):
    write(tmp_path / "bytes.py", "import sys; sys.stdout.buffer.write(b'a\\xff\\x00b')")
    assert run(context(tmp_path, bytes={"path": "bytes.py"}), "bytes")["stdout"] == "a\ufffd\ufffdb"


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_an_exit_code_other_than_zero_fails_with_the_last_words(tmp_path):
    write(tmp_path / "fail.py", "import sys; sys.stderr.write('x' * 100_000 + '\\nno such account\\n'); sys.exit(3)")
    error = refused(context(tmp_path, fail={"path": "fail.py"}), "fail")
    assert error["error"].startswith("the script 'fail' ended with exit code 3; its last words: xxx")
    assert error["error"].endswith("xxx\nno such account")
    assert len(error["error"]) < 1700
    assert error["where"] == "scripts.fail"


def test_a_script_ended_by_a_signal_says_so(tmp_path):
    write(tmp_path / "die.sh", "kill -9 $$")
    assert refused(context(tmp_path, die={"path": "die.sh"}), "die")["error"] == (
        "the script 'die' was ended by signal 9"
    )


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM;"])
def test_at_its_time_limit_the_whole_group_is_ended(tmp_path, stubborn):
    write(
        tmp_path / "slow.sh",
        f"{stubborn} sleep 60 & echo $! > child; echo $$ > self; echo waiting >&2; wait; wait; sleep 60",
    )
    error = refused(context(tmp_path, slow={"path": "slow.sh", "timeout_s": 0.6}), "slow")
    assert error == {
        "error": "the script 'slow' was stopped because it took longer than 0.6 s; what it did until then stands; "
        "its last words: waiting",
        "where": "scripts.slow",
        "hint": "raise the step's timeout (and timeout_s in aie.toml), or make the script quicker",
    }
    assert gone(int((tmp_path / "self").read_text()))
    assert gone(int((tmp_path / "child").read_text()))


def test_the_steps_timeout_holds_when_it_is_the_shorter_one(tmp_path):
    write(tmp_path / "slow.sh", "sleep 60")
    error = refused(context(tmp_path, timeout_s=0.4, slow={"path": "slow.sh", "timeout_s": 50}), "slow")
    assert error["error"].startswith("the script 'slow' was stopped because it took longer than 0.4 s")


def test_a_script_may_tidy_up_when_it_is_asked_to_end(tmp_path):
    write(tmp_path / "tidy.sh", "trap 'echo tidy > tidied; exit 1' TERM\nsleep 60 & wait")
    refused(context(tmp_path, timeout_s=2.0, tidy={"path": "tidy.sh"}), "tidy")
    assert (tmp_path / "tidied").read_text() == "tidy\n"


def test_cancelling_the_step_ends_the_whole_group(tmp_path):
    write(tmp_path / "slow.sh", "trap '' TERM; sleep 60 & echo $! > child; echo $$ > self; touch ready; wait")
    ctx = context(tmp_path, slow={"path": "slow.sh"})

    async def cancelled() -> None:
        task = asyncio.create_task(RUN_SCRIPT.run(RunScriptParameters(script="slow"), ctx))
        while not (tmp_path / "ready").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert gone(int((tmp_path / "self").read_text()))
    assert gone(int((tmp_path / "child").read_text()))


def test_what_a_script_leaves_running_does_not_outlive_it(tmp_path):
    write(tmp_path / "leave.sh", "sleep 60 & echo $! > child; echo done")
    assert run(context(tmp_path, leave={"path": "leave.sh"}), "leave")["stdout"] == "done\n"
    assert gone(int((tmp_path / "child").read_text()))


def test_a_process_that_left_the_group_is_not_waited_for(tmp_path):
    write(
        tmp_path / "escape.py",
        "import os, sys, time\nif os.fork():\n    print('done'); sys.exit()\nos.setsid(); time.sleep(3)",
    )
    result = run(context(tmp_path, timeout_s=60, escape={"path": "escape.py"}), "escape")
    assert result["stdout"] == "done\n"


def test_many_scripts_run_side_by_side(tmp_path):
    write(tmp_path / "quick.sh", "#!/bin/sh\necho hi", mode=0o755)
    ctx = context(tmp_path, quick={"path": "quick.sh"})

    async def many() -> list[dict]:
        return await asyncio.gather(*(RUN_SCRIPT.run(RunScriptParameters(script="quick"), ctx) for _ in range(20)))

    assert [result["stdout"] for result in asyncio.run(many())] == ["hi\n"] * 20


# --- what does not run ------------------------------------------------------------------------------------------------


def test_a_script_that_is_not_listed_is_refused_with_the_lines_to_add(tmp_path):
    write(tmp_path / "scripts/backup.sh", "echo")
    assert refused(context(tmp_path, other={"path": "other.sh"}), "backup.sh", allowed_scripts=["backup.sh"]) == {
        "error": "the script 'backup.sh' is not listed in aie.toml; listed are other",
        "where": "parameters.script",
        "hint": "only scripts the owner has listed may run; to allow it, add to aie.toml:\n"
        '[scripts.backup]\npath = "scripts/backup.sh"',
    }


@pytest.mark.parametrize("script", ["scripts/hello.sh", "../hello.sh", "/bin/sh", "hello", "HELLO.SH", "hello.sh;id"])
def test_only_a_name_in_aie_toml_counts(tmp_path, script):
    write(tmp_path / "scripts/hello.sh", "echo")
    error = refused(context(tmp_path, greeting={"path": "scripts/hello.sh"}), script)
    assert error["error"] == f"the script {script!r} is not listed in aie.toml; listed are greeting"


def test_a_step_may_narrow_what_it_runs(tmp_path):
    write(tmp_path / "a.sh", "echo a")
    ctx = context(tmp_path, a={"path": "a.sh"})
    assert run(ctx, "a", allowed_scripts=["a.sh"])["stdout"] == "a\n"
    assert refused(ctx, "a", allowed_scripts=["b.sh"]) == {
        "error": "the script 'a' is not among this step's allowed_scripts: ['b.sh']",
        "where": "parameters.allowed_scripts",
        "hint": "add 'a' to allowed_scripts, or leave allowed_scripts out",
    }
    assert refused(ctx, "a", allowed_scripts=[])["where"] == "parameters.allowed_scripts"


def test_two_scripts_of_one_file_name_need_their_names(tmp_path):
    ctx = context(tmp_path, day={"path": "day/run.sh"}, night={"path": "night/run.sh"})
    assert refused(ctx, "run.sh") == {
        "error": "'run.sh' is the file name of several scripts in aie.toml: 'day', 'night'",
        "where": "parameters.script",
        "hint": "write the name of the one you mean",
    }


def test_arguments_need_the_owners_leave(tmp_path):
    write(tmp_path / "a.sh", "echo a")
    assert refused(context(tmp_path, a={"path": "a.sh"}), "a", arguments=["x"]) == {
        "error": "the script 'a' may not be given arguments",
        "where": "parameters.arguments",
        "hint": "to allow it, add to [scripts.a] in aie.toml:\narguments = true",
    }


def test_a_changed_script_is_refused(tmp_path):
    write(tmp_path / "a.sh", "echo a")
    found = hashlib.sha256(b"echo a").hexdigest()
    assert refused(context(tmp_path, a={"path": "a.sh", "sha256": "0" * 64}), "a") == {
        "error": f"the script 'a' has changed: its SHA-256 is {found}",
        "where": "scripts.a.sha256",
        "hint": "look at what changed; if it is right, write that number into aie.toml",
    }


def test_a_path_or_link_that_leads_out_of_the_vault_is_refused(tmp_path):
    vault, outside = tmp_path / "vault", write(tmp_path / "outside.sh", "echo out")
    vault.mkdir()
    (vault / "link.sh").symlink_to(outside)
    write(vault / "real.sh", "echo in")
    (vault / "alias.sh").symlink_to("real.sh")
    for path in ("link.sh", "../outside.sh", str(vault / "link.sh")):
        error = refused(context(vault, a={"path": path}), "a")
        assert error["error"] == f"the path {path!r} leads out of the vault"
    assert run(context(vault, a={"path": "alias.sh"}), "a")["stdout"] == "in\n"


def test_what_is_no_readable_file_is_refused(tmp_path):
    (tmp_path / "folder.sh").mkdir()
    os.mkfifo(tmp_path / "pipe.sh")
    for path, reason in (
        ("none.sh", "No such file or directory"),
        ("folder.sh", "Is a directory"),
        ("pipe.sh", "it is not a file"),
    ):
        error = refused(context(tmp_path, a={"path": path}), "a")
        assert error["error"].endswith(f"{path}' cannot be read: {reason}")


def test_a_file_nothing_can_run_is_refused(tmp_path):
    write(tmp_path / "notes.txt", "hello")
    assert refused(context(tmp_path, a={"path": "notes.txt"}), "a") == {
        "error": "the script 'a' is not executable, and '.txt' does not say what runs it",
        "where": "scripts.a.path",
        "hint": "chmod +x 'notes.txt', or name a file that ends in .py or .sh",
    }


def test_a_file_the_system_cannot_start_fails_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    write(tmp_path / "tool", "#!/no/such/interpreter\n", mode=0o755)
    assert refused(context(tmp_path, tool={"path": "tool"}), "tool") == {
        "error": "the script 'tool' cannot be started: No such file or directory",
        "where": "scripts.tool",
        "hint": "check its first line (#!) and that this user may run it",
    }
    assert list((tmp_path / "tmp").iterdir()) == []


# --- what is declared -------------------------------------------------------------------------------------------------


def test_it_is_a_local_action_that_is_never_repeated_by_guessing():
    assert (RUN_SCRIPT.effect, RUN_SCRIPT.repeatable, RUN_SCRIPT.asks_first) == (Effect.LOCAL, False, False)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RunScriptParameters.model_validate({"script": "a", "shell": True})


def test_the_mode_of_the_copy_does_not_follow_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write(tmp_path / "mode.py", "import os, sys; print(oct(os.stat(sys.argv[0]).st_mode & 0o777))")
        assert run(context(tmp_path, mode={"path": "mode.py"}), "mode")["stdout"] == "0o700\n"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mode.py").stat().st_mode) == 0o644
