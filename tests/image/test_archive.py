import io
import json
import tarfile

from image.archive import ContainerImage, Member, layer, write

PAUSE = ContainerImage("localhost/pause:1", (Member("pause", b"elf"),), entrypoint=("/pause", "-P"))
TEST = ContainerImage(
    "localhost/test:1", (Member("bin/busybox", b"box"), Member("bin/sh", target="busybox")), command=("/bin/sh",)
)


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {info.name: info for info in archive}


def test_same_images_give_the_same_bytes() -> None:
    assert write([PAUSE, TEST]) == write([PAUSE, TEST])


def test_manifest_names_config_and_layer_that_are_there() -> None:
    data = write([PAUSE, TEST])

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        manifest = json.load(file)
        names = set(archive.getnames())
    assert [entry["RepoTags"] for entry in manifest] == [["localhost/pause:1"], ["localhost/test:1"]]
    assert all({entry["Config"], *entry["Layers"]} <= names for entry in manifest)


def test_config_has_entrypoint_command_and_the_layers_digest() -> None:
    data = write([TEST])

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        [name] = [name for name in archive.getnames() if name.endswith(".json") and name != "manifest.json"]
        file = archive.extractfile(name)
        assert file is not None
        config = json.load(file)
        [folder] = {name.partition("/")[0] for name in archive.getnames() if name.endswith("layer.tar")}
    assert config["config"] == {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{folder}"]


def test_layer_holds_files_links_and_their_directories_with_no_times() -> None:
    found = members(layer(TEST.members))

    assert list(found) == ["bin", "bin/busybox", "bin/sh"]
    assert found["bin/sh"].linkname == "busybox"
    assert found["bin/busybox"].mode == 0o755
    assert {info.mtime for info in found.values()} == {0}
