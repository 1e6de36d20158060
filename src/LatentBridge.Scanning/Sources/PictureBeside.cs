using System.Text.RegularExpressions;

namespace LatentBridge.Scanning.Sources;

/// <summary>Finds the picture that a latent was made of: the same name, without what the trainer added to it.</summary>
static partial class PictureBeside
{
    static readonly string[] Endings = [".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG", ".WEBP"];

    /// <summary>The picture's path, or null.</summary>
    public static string? Find(string latent, string folder)
    {
        string name = Path.GetFileName(latent);
        foreach (string stem in (string[])[Path.GetFileNameWithoutExtension(name), Added().Replace(name, "")])
        {
            foreach (string ending in Endings)
            {
                string path = Path.Combine(folder, stem + ending);
                if (File.Exists(path))
                {
                    return path;
                }
            }
        }

        return null;
    }

    /// <summary>The middle of a picture, of the shape that trainers crop it to.</summary>
    public static (byte[] Rgb, int Width, int Height) Crop(byte[] rgb, int width, int height, int cellsAcross, int cellsDown)
    {
        int newWidth = Math.Clamp((int)Math.Round((double)height * cellsAcross / cellsDown), 1, width);
        int newHeight = Math.Clamp((int)Math.Round((double)width * cellsDown / cellsAcross), 1, height);
        (int left, int top) = ((width - newWidth) / 2, (height - newHeight) / 2);
        byte[] cropped = new byte[3 * newWidth * newHeight];
        for (int y = 0; y < newHeight; y++)
        {
            rgb.AsSpan(3 * (((top + y) * width) + left), 3 * newWidth).CopyTo(cropped.AsSpan(3 * y * newWidth));
        }

        return (cropped, newWidth, newHeight);
    }

    // kohya: _1024x0768_sdxl.npz, _sdxl.npz; musubi: _1024x0768_wan.safetensors; ai-toolkit: _<hash>.safetensors; double endings.
    [GeneratedRegex(@"(?:_\d{3,5}x\d{3,5})?(?:_[A-Za-z0-9-]+)?(?:\.latent)?\.[a-z]+(?:\.gz)?$")]
    private static partial Regex Added();
}
