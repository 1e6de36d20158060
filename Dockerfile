# `latentbridge` on mounted data, from an archive that ./package.sh made:
#
#     docker build -t latentbridge .
#     docker run --rm -v "$PWD:/data" latentbridge decode latent.safetensors
FROM debian:13-slim
ADD dist/latentbridge-*-linux-x64.tar.gz /opt/
RUN ln -s /opt/latentbridge/bin/linux-x64/latentbridge /usr/local/bin/latentbridge
USER 1000
WORKDIR /data
ENTRYPOINT ["latentbridge"]
