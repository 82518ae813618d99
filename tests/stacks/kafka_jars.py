"""Kafka's jars, fetched once by their Maven coordinates into `.stack/` of the repository."""

import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

from streams.stacks import StackError

KAFKA_VERSION = "4.1.1"
_CACHE = Path(__file__).resolve().parents[2] / ".stack"
_FETCH_TIMEOUT_S = 600
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def kafka_classpath() -> str:
    """The class path of a Kafka broker; the first call of a clone downloads it.

    Raises:
        StackError: Maven could not fetch it; the message carries the end of what Maven said.
    """
    jars = _CACHE / f"kafka-{KAFKA_VERSION}"
    if not jars.is_dir():
        _fetch(jars)
    return f"{jars}/*"


def _fetch(jars: Path) -> None:
    _CACHE.mkdir(exist_ok=True)
    # Complete or not there: fetched beside, then renamed, so that neither an interruption nor a second run can tear it.
    work = Path(mkdtemp(dir=_CACHE, prefix="fetch-"))
    try:
        (work / "pom.xml").write_text(_POM)
        command = ["mvn", "-B", "-q", "-f", str(work / "pom.xml"), _COPY, f"-DoutputDirectory={work / 'jars'}"]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_FETCH_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
        if result.returncode:
            raise StackError(f"Maven could not fetch Kafka {KAFKA_VERSION}: {result.stdout[-2000:]}")
        if not jars.is_dir():
            (work / "jars").rename(jars)
    finally:
        shutil.rmtree(work, ignore_errors=True)
