# A public server of the app, as a user without rights, on a read-only root file system with a tmpfs at /tmp:
#   docker build -t mesm .
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL -p 8501:8501 mesm
# With CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 --build-arg EXTRAS=[gpu], then run --gpus all.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/mesm
RUN /opt/mesm/bin/pip install "torch>=2.9,<3" "torchvision>=0.24,<1" --index-url "$TORCH_INDEX"
COPY pyproject.toml README.md LICENSE app.py /source/
COPY .streamlit /source/.streamlit
COPY assets /source/assets
COPY pages /source/pages
COPY mesm /source/mesm
RUN /opt/mesm/bin/pip install "/source${EXTRAS}"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/mesm /opt/mesm
# Everything that is written goes to /tmp.
ENV PATH=/opt/mesm/bin:$PATH \
    HOME=/tmp \
    MESM_HOME=/tmp/mesm_home \
    HF_HOME=/tmp/huggingface \
    HF_HUB_OFFLINE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONDONTWRITEBYTECODE=1 \
    MESM_PUBLIC=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501
USER 1000:1000
WORKDIR /tmp
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["mesm", "app", "--public"]
