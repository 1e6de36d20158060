// One latent to one picture, with the best decoder there is for it.
//
//     dotnet run --project examples/DecodeToPng -- examples/latents/SDXL_kodim23.safetensors preview.png

using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Imaging.Png;
using LatentBridge.Previews;

if (args is not [string source, string target])
{
    Console.Error.WriteLine("usage: DecodeToPng LATENT PICTURE.png");
    return 2;
}

LoadedLatent latent = LatentFile.Load(source);
DecoderEntry best = LatentDecoders.For(latent.Format, LatentDecoders.WeightsOfThisMachine())[0];

using ILatentDecoder decoder = best.Load();
using PreviewRenderer renderer = new(latent.Format);
PreviewOptions options = new() { Size = 512 };
renderer.Stage(latent.View, options);

byte[] png = new byte[PngEncoder.MaximumLength(512, 512, 3)];
PreviewResult result = renderer.Render(decoder, options, png, CancellationToken.None);
File.WriteAllBytes(target, png.AsSpan(0, result.ByteLength));
Console.WriteLine($"{target}: {result.Width}x{result.Height}, {best.Description.Id} ({best.Description.Source}), {result.DecodeMilliseconds:0.0} ms");
return 0;
