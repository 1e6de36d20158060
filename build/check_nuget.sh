#!/usr/bin/env bash
# build/check_nuget.sh: uses NuGet's packages of dist/ as users do: a program of their own that decodes with LatentBridge, .Onnx and .ImageSharp, and the .NET tool.
# Restoring takes the other packages from where this machine takes them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. build/setup.sh
require_dotnet
repository=$PWD
latent=$PWD/examples/latents/SDXL_kodim23.safetensors
version=$(tr -d '[:space:]' <python/version.txt)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir "$folder/app" "$folder/weights"
cd "$folder/app" # outside of the repository: its build files and its nuget.config do not count
export NUGET_PACKAGES=$folder/packages # the machine's own cache could hold other packages of this version
cat >app.csproj <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <RestoreAdditionalProjectSources>$repository/dist</RestoreAdditionalProjectSources>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="LatentBridge.Onnx" Version="$version" />
    <PackageReference Include="LatentBridge.ImageSharp" Version="$version" />
  </ItemGroup>
</Project>
PROJECT
cat >Program.cs <<'PROGRAM'
using LatentBridge.ImageSharp;
using LatentBridge.Onnx;
using LatentBridge.Previews;

OnnxModels.Register();
LatentPreview preview = LatentPreview.Decode(args[0], new() { Decoder = args[1] });
byte[] jpeg = new byte[1 << 20];
int length = ImageSharpEncoders.Pictures()[0].Encode(preview.Rgb, preview.Width, preview.Height, 85, jpeg);
System.Console.WriteLine($"{preview.DecoderId}: {preview.Width}x{preview.Height}, {preview.ToPng().Length} bytes of PNG, {length} of JPEG");
return preview.DecoderId == args[1] && length > 1000 ? 0 : 1;
PROGRAM

dotnet tool install LatentBridge.Tool --version "$version" --add-source "$repository/dist" --tool-path "$folder/tool"
"$folder/tool/latentbridge" decode "$latent" -d tiny -o "$folder"
"$folder/tool/latentbridge" models convert "$repository/models/tiny/tiny-sdxl.safetensors" --output "$folder/weights/tiny-sdxl.onnx"
dotnet build -c Release -o "$folder/built" -nologo --verbosity quiet
for decoder in latent2rgb mlp tiny onnx:tiny-sdxl; do
    LATENTBRIDGE_MODELS=$folder/weights dotnet "$folder/built/app.dll" "$latent" "$decoder"
done
