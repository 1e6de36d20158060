using LatentBridge.Files;
using LatentBridge.Host.Sheets;
using LatentBridge.ImageSharp;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Host.Commands;

/// <summary>Pictures that a command was given as files and folders.</summary>
static class PictureFiles
{
    internal static readonly string[] Endings = [".png", ".jpg", ".jpeg", ".webp"];

    /// <summary>A file itself, or the PNG, JPEG and WebP pictures of a folder in the order of their names.</summary>
    /// <exception cref="InputException">It is neither, or a folder without pictures.</exception>
    internal static string[] Find(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? [path] : throw new InputException($"\"{path}\" is neither a file nor a folder.");
        }

        string[] files = [.. Directory.GetFiles(path).Where(file => Endings.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new InputException($"The folder \"{path}\" has no PNG, JPEG or WebP pictures.");
    }

    /// <summary>Reads a picture as what its bytes are, whatever its name says, and turns it as EXIF says.</summary>
    /// <exception cref="InputException">It is none, or cannot be read; the message names it.</exception>
    internal static PngImage ReadImage(string file)
    {
        try
        {
            byte[] bytes = RegularFile.ReadAllBytes(file);
            if (LatentPicture.IsPng(bytes))
            {
                return PngOrientation.Turn(PngReader.Read(bytes), PngOrientation.Of(bytes));
            }

            (byte[] rgb, int width, int height) = PictureReader.Read(bytes);
            return new(width, height, 3, rgb);
        }
        catch (Exception failure) when (failure is LatentBridgeException or IOException or UnauthorizedAccessException)
        {
            throw new InputException(failure is LatentBridgeException ? $"\"{file}\": {failure.Message}" : failure.Message);
        }
    }

    /// <summary>Reads a picture of at least so many pixels a side.</summary>
    /// <exception cref="InputException">It is smaller, or <see cref="ReadImage"/> cannot read it.</exception>
    internal static Picture Read(string file, int smallestSide)
    {
        PngImage image = ReadImage(file);
        return Math.Min(image.Width, image.Height) >= smallestSide
            ? new(image.ToRgb(), image.Width, image.Height)
            : throw new InputException($"\"{file}\" is {image.Width} x {image.Height}; at least {smallestSide} x {smallestSide} pixels are needed.");
    }
}
