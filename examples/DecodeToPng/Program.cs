// One latent to one picture, with the best decoder there is for it.
//
//     dotnet run --project examples/DecodeToPng -- examples/latents/SDXL_kodim23.safetensors preview.png

using LatentBridge.Previews;

if (args is not [string source, string target])
{
    Console.Error.WriteLine("usage: DecodeToPng LATENT PICTURE.png");
    return 2;
}

LatentPreview preview = LatentPreview.Decode(source, new() { Size = 512 });
preview.SavePng(target);
Console.WriteLine($"{target}: {preview.Width}x{preview.Height}, {preview.FormatId} by {preview.DecoderId}");
return 0;
