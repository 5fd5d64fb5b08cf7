"""The requests of Home Assistant's integration for MJPEG cameras, by the libraries that it uses."""
import asyncio
import io
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import warnings

import aiohttp
import httpx
import requests
from PIL import Image

import server
import tap
from server import Fanlight

NAME, PASSWORD = "home", "assistant's"
CHUNK_BYTES = 102400


class HomeAssistant(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-home-"))
        accounts = cls.folder / "accounts"
        subprocess.run([server.FANLIGHT, "passwd", "--view", accounts, NAME], input=PASSWORD,
                       text=True, check=True, timeout=server.PATIENCE_S)
        cls.fanlight = Fanlight("--accounts", accounts, "--size", "320x240", https=True)
        # That nobody has signed this certificate is what it is told to bear.
        warnings.simplefilter("ignore")

    @classmethod
    def tearDownClass(cls):
        code = cls.fanlight.close()
        shutil.rmtree(cls.folder)
        assert code == 0, f"exit code {code}: {''.join(cls.fanlight.log)}"

    def urls(self, path):
        return [self.fanlight.urls[scheme] + path for scheme in ("http", "https")]

    def check_picture(self, data):
        image = Image.open(io.BytesIO(data))
        image.load()
        self.assertEqual((image.format, image.size), ("JPEG", (320, 240)))

    @staticmethod
    def status(url, auth):
        with requests.get(url, auth=auth, stream=True, timeout=server.PATIENCE_S,
                          verify=False) as answer:
            return answer.status_code

    def test_its_check_when_a_camera_is_added(self):
        login = requests.auth.HTTPBasicAuth(NAME, PASSWORD)
        for url in self.urls("/stream") + self.urls("/snapshot"):
            self.assertEqual(self.status(url, login), 200)
            # One that is wrong is tried again in another way.
            self.assertEqual(self.status(url, None), 401)
            self.assertEqual(self.status(url, requests.auth.HTTPDigestAuth(NAME, PASSWORD)), 401)

    def test_its_still_image(self):
        async def get(url):
            login = aiohttp.BasicAuth(NAME, password=PASSWORD)
            async with aiohttp.ClientSession() as session:
                answer = await session.get(url, auth=login, ssl=False)
                return await answer.read()

        for url in self.urls("/snapshot"):
            self.check_picture(asyncio.run(get(url)))

    def test_its_still_image_out_of_a_stream(self):
        async def get(url):
            data = b""
            async with httpx.AsyncClient(verify=False) as client:
                async with client.stream("get", url, auth=(NAME, PASSWORD),
                                         timeout=server.PATIENCE_S) as answer:
                    async for some in answer.aiter_bytes(CHUNK_BYTES):
                        data += some
                        begin, end = data.find(b"\xff\xd8"), data.find(b"\xff\xd9")
                        if min(begin, end) >= 0:
                            return data[begin:end + 2]
            raise EOFError("the stream ends")

        for url in self.urls("/stream"):
            self.check_picture(asyncio.run(get(url)))

    def test_its_stream(self):
        """It passes on what comes, and the type that tells browsers how to take it."""
        async def get(url):
            data = b""
            login = aiohttp.BasicAuth(NAME, password=PASSWORD)
            async with aiohttp.ClientSession() as session:
                async with session.get(url, auth=login, ssl=False) as answer:
                    while data.count(server.BOUNDARY) < 5:
                        data += await answer.content.read(CHUNK_BYTES)
                    return answer.headers["Content-Type"], data

        for url in self.urls("/stream"):
            kind, data = asyncio.run(get(url))
            self.assertEqual(kind, "multipart/x-mixed-replace;boundary=boundarydonotcross")
            for part in data.split(server.BOUNDARY)[1:4]:
                self.check_picture(part.split(b"\r\n\r\n", 1)[1])


tap.main()
