using System.Diagnostics;
using LatentBridge.Host.Bench;

namespace LatentBridge.Host.Tests.Bench;

public class PeerProcessTests
{
    [Fact]
    public void A_peer_that_cannot_be_started_is_none()
    {
        string file = Path.GetTempFileName(); // no program at all
        try
        {
            Assert.Null(PeerProcess.TryStart(new ProcessStartInfo(file)));
            Assert.Null(PeerProcess.TryStart(new ProcessStartInfo(file + "-not-there")));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
